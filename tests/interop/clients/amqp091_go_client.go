// amqp091-go against the broker. Called as `amqp091_go_client URL [NAME…]`; prints `ok NAME` or
// `FAIL NAME: reason`. Built by ./run with Debian's package of the client.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const patience = 10 * time.Second

var url = os.Args[1]

// A failure anywhere in a scenario is a panic; `run` turns it into the reason.
func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func equal(got, want any, what string) {
	if !reflect.DeepEqual(got, want) {
		panic(fmt.Errorf("%s: expected %v, got %v", what, want, got))
	}
}

// next is the next element of a channel, or a failure that says what did not come.
func next[T any](from <-chan T, what string) T {
	select {
	case value := <-from:
		return value
	case <-time.After(patience):
		panic(fmt.Errorf("not in time: %s", what))
	}
}

// client owns the connections of one scenario.
type client struct{ connections []*amqp.Connection }

func (c *client) connect() *amqp.Connection {
	connection := must(amqp.Dial(url))
	c.connections = append(c.connections, connection)
	return connection
}

func (c *client) channel() *amqp.Channel { return must(c.connect().Channel()) }

func (c *client) close() {
	for _, connection := range c.connections {
		_ = connection.Close()
	}
}

func privateQueue(channel *amqp.Channel) string {
	return must(channel.QueueDeclare("", false, false, true, false, nil)).Name
}

func durableQueue(channel *amqp.Channel, name string) {
	must(channel.QueueDeclare(name, true, false, false, false, nil))
	must(channel.QueuePurge(name, false))
}

func publish(channel *amqp.Channel, exchange, key string, message amqp.Publishing) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	check(channel.PublishWithContext(ctx, exchange, key, false, false, message))
}

func text(body string) amqp.Publishing { return amqp.Publishing{Body: []byte(body)} }

// held is what a queue has ready, taken without waiting.
func held(channel *amqp.Channel, queue string) (bodies []string) {
	for {
		delivery, ok, err := channel.Get(queue, true)
		check(err)
		if !ok {
			return bodies
		}
		bodies = append(bodies, string(delivery.Body))
	}
}

func consume(channel *amqp.Channel, queue, tag string, autoAck bool) <-chan amqp.Delivery {
	return must(channel.Consume(queue, tag, autoAck, false, false, false, nil))
}

func refused(err error, code int, fragment string) {
	var refusal *amqp.Error
	if !errors.As(err, &refusal) {
		panic(fmt.Errorf("expected a refusal with %d, got %v", code, err))
	}
	equal(refusal.Code, code, "reply code")
	if !strings.Contains(refusal.Reason, fragment) {
		panic(fmt.Errorf("reply text: expected … %s …, got %s", fragment, refusal.Reason))
	}
}

func workQueue(c *client) {
	publisher := c.channel()
	durableQueue(publisher, "interop.go.work")
	deliveries := map[string]<-chan amqp.Delivery{}
	for _, name := range []string{"busy", "free"} {
		channel := c.channel()
		check(channel.Qos(1, 0, false))
		deliveries[name] = consume(channel, "interop.go.work", name, false)
	}
	for n := 0; n < 10; n++ {
		message := text(fmt.Sprint(n))
		message.DeliveryMode = amqp.Persistent
		publish(publisher, "", "interop.go.work", message)
	}
	next(deliveries["busy"], "one task for the busy worker")
	for n := 0; n < 9; n++ {
		delivery := next(deliveries["free"], "tasks for the free worker")
		check(delivery.Ack(false))
	}
	equal(len(deliveries["busy"]), 0, "more tasks for the busy worker")
	must(publisher.QueueDelete("interop.go.work", false, false, false))
}

func fanout(c *client) {
	channel := c.channel()
	check(channel.ExchangeDeclare("interop.go.logs", "fanout", false, true, false, false, nil))
	queues := []string{privateQueue(channel), privateQueue(channel)}
	for _, queue := range queues {
		check(channel.QueueBind(queue, "", "interop.go.logs", false, nil))
	}
	publish(channel, "interop.go.logs", "", text("to all"))
	for _, queue := range queues {
		delivery := next(consume(channel, queue, "", true), "a copy")
		equal(string(delivery.Body), "to all", "copy")
	}
}

// message is what routing looks at: a key, or headers.
type message struct {
	key     string
	headers amqp.Table
}

func routed(c *client, kind string, bindings, messages []message) string {
	channel := c.channel()
	exchange := "interop.go." + kind
	check(channel.ExchangeDeclare(exchange, kind, false, true, false, false, nil))
	var queues []string
	for _, binding := range bindings {
		queue := privateQueue(channel)
		check(channel.QueueBind(queue, binding.key, exchange, false, binding.headers))
		queues = append(queues, queue)
	}
	check(channel.Confirm(false))
	confirms := channel.NotifyPublish(make(chan amqp.Confirmation, len(messages)))
	for n, m := range messages {
		publish(channel, exchange, m.key, amqp.Publishing{Body: []byte(fmt.Sprint(n)), Headers: m.headers})
	}
	for range messages {
		equal(next(confirms, "confirm").Ack, true, "confirm")
	}
	var result []string
	for _, queue := range queues {
		result = append(result, strings.Join(held(channel, queue), " "))
	}
	return strings.Join(result, "; ")
}

func direct(c *client) {
	got := routed(c, "direct", []message{{key: "a"}, {key: "b"}}, []message{{key: "b"}, {key: "a"}, {key: "c"}})
	equal(got, "1; 0", "direct")
}

func topic(c *client) {
	bindings := []message{{key: "stock.*.nyse"}, {key: "stock.#"}, {key: "#.nyse"}}
	keys := []message{{key: "stock.ibm.nyse"}, {key: "stock"}, {key: "nyse"}, {key: "stock.nyse"}}
	equal(routed(c, "topic", bindings, keys), "0; 0 1 3; 0 2 3", "topic")
}

func headers(c *client) {
	bindings := []message{
		{headers: amqp.Table{"x-match": "all", "n": int32(1), "s": "x"}},
		{headers: amqp.Table{"x-match": "any", "n": int32(1), "s": "x"}},
	}
	messages := []message{
		{headers: amqp.Table{"n": int32(1), "s": "x"}},
		{headers: amqp.Table{"n": int32(1)}},
		{headers: amqp.Table{"n": "1"}},
	}
	equal(routed(c, "headers", bindings, messages), "0; 0 1", "headers")
}

func rpc(c *client) {
	server, caller := c.channel(), c.channel()
	requests := privateQueue(server)
	questions := consume(server, requests, "", false)
	go func() {
		for question := range questions {
			answer := amqp.Publishing{CorrelationId: question.CorrelationId, Body: append(question.Body, '!')}
			_ = server.PublishWithContext(context.Background(), "", question.ReplyTo, false, false, answer)
			_ = question.Ack(false)
		}
	}()
	replies := privateQueue(caller)
	answers := consume(caller, replies, "", true)
	for _, id := range []string{"one", "two"} {
		publish(caller, "", requests, amqp.Publishing{ReplyTo: replies, CorrelationId: id, Body: []byte(id)})
	}
	for _, id := range []string{"one", "two"} {
		answer := next(answers, "answer")
		equal([]string{answer.CorrelationId, string(answer.Body)}, []string{id, id + "!"}, "answer")
	}
}

func confirmsOneByOne(c *client) {
	channel := c.channel()
	durableQueue(channel, "interop.go.confirm")
	check(channel.Confirm(false))
	for n := 0; n < 50; n++ {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		confirmation := must(channel.PublishWithDeferredConfirmWithContext(ctx, "", "interop.go.confirm", false, false,
			amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte("x")}))
		equal(confirmation.Wait(), true, "confirm")
		cancel()
	}
	equal(must(channel.QueueDelete("interop.go.confirm", false, false, false)), 50, "delete-ok counts")
}

func confirmsInBatches(c *client) {
	const total = 2000
	channel := c.channel()
	durableQueue(channel, "interop.go.batch")
	check(channel.Confirm(false))
	confirms := channel.NotifyPublish(make(chan amqp.Confirmation, total))
	for n := 0; n < total; n++ {
		publish(channel, "", "interop.go.batch", amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte("x")})
	}
	for n := 1; n <= total; n++ {
		equal(next(confirms, "confirm"), amqp.Confirmation{DeliveryTag: uint64(n), Ack: true}, "confirm")
	}
	equal(must(channel.QueueDelete("interop.go.batch", false, false, false)), total, "stored")
}

func mandatoryReturn(c *client) {
	channel := c.channel()
	check(channel.Confirm(false))
	// Unbuffered on purpose: the client hands over the return before it may read the confirm.
	story := make(chan string, 2)
	returns := channel.NotifyReturn(make(chan amqp.Return))
	confirms := channel.NotifyPublish(make(chan amqp.Confirmation))
	go func() {
		for {
			select {
			case r, ok := <-returns:
				if !ok {
					return
				}
				story <- fmt.Sprint(r.ReplyCode, " ", r.ReplyText, " ", string(r.Body), " ", r.Headers["kept"])
			case confirm := <-confirms:
				story <- fmt.Sprint("confirmed ", confirm.Ack)
			}
		}
	}()
	back := amqp.Publishing{Body: []byte("back"), Headers: amqp.Table{"kept": true}}
	check(channel.PublishWithContext(context.Background(), "amq.direct", "interop.nowhere", true, false, back))
	equal(next(story, "return"), "312 NO_ROUTE back true", "return")
	equal(next(story, "confirm"), "confirmed true", "after the return")
}

func redelivery(c *client) {
	connection := c.connect()
	first, second := must(connection.Channel()), must(connection.Channel())
	queue := privateQueue(second)
	for n := 0; n < 5; n++ {
		publish(second, "", queue, text(fmt.Sprint(n)))
	}
	check(first.Qos(3, 0, false))
	taken := consume(first, queue, "", false)
	for n := 0; n < 3; n++ {
		equal(next(taken, "the first three").Redelivered, false, "fresh")
	}
	check(first.Close())
	again := consume(second, queue, "", true)
	for n := 0; n < 5; n++ {
		delivery := next(again, "again")
		equal([]any{string(delivery.Body), delivery.Redelivered}, []any{fmt.Sprint(n), n < 3}, "again")
	}
}

func largeAndEmptyBodies(c *client) {
	channel := c.channel()
	queue := privateQueue(channel)
	bodies := [][]byte{bytes.Repeat([]byte("quorate."), 5<<17), {}, []byte("small")}
	for _, body := range bodies {
		publish(channel, "", queue, amqp.Publishing{Body: body})
	}
	deliveries := consume(channel, queue, "", true)
	for n, body := range bodies {
		equal(bytes.Equal(next(deliveries, "body").Body, body), true, fmt.Sprint("body ", n))
	}
}

func properties(c *client) {
	channel := c.channel()
	queue := privateQueue(channel)
	when := time.Unix(1700000000, 0)
	sent := amqp.Publishing{
		Headers: amqp.Table{
			"bool": true, "byte": byte(200), "int8": int8(-3), "int16": int16(-300), "int32": int32(-70000),
			"int64": int64(1 << 50), "float32": float32(0.25), "float64": 1e300,
			"decimal": amqp.Decimal{Scale: 2, Value: 314}, "string": "näh", "bytes": []byte{0, 255},
			"time": when, "nil": nil, "list": []interface{}{int32(1), "two", nil},
			"table": amqp.Table{"inner": amqp.Table{"x": int32(1)}},
		},
		ContentType: "a/b", ContentEncoding: "e", DeliveryMode: amqp.Persistent, Priority: 4, CorrelationId: "c",
		ReplyTo: "r", Expiration: "600000", MessageId: "m", Timestamp: when, Type: "t", UserId: "guest", AppId: "a",
		Body: []byte("x"),
	}
	publish(channel, "", queue, sent)
	d := next(consume(channel, queue, "", true), "delivery")
	received := amqp.Publishing{
		Headers: d.Headers, ContentType: d.ContentType, ContentEncoding: d.ContentEncoding, DeliveryMode: d.DeliveryMode,
		Priority: d.Priority, CorrelationId: d.CorrelationId, ReplyTo: d.ReplyTo, Expiration: d.Expiration,
		MessageId: d.MessageId, Timestamp: d.Timestamp, Type: d.Type, UserId: d.UserId, AppId: d.AppId, Body: d.Body,
	}
	for name, value := range sent.Headers {
		equal(received.Headers[name], value, "header "+name)
	}
	equal(received, sent, "properties")
}

func cancelNotification(c *client) {
	channel, other := c.channel(), c.channel()
	durableQueue(channel, "interop.go.doomed")
	cancelled := channel.NotifyCancel(make(chan string, 1))
	deliveries := consume(channel, "interop.go.doomed", "watching", false)
	must(other.QueueDelete("interop.go.doomed", false, false, false))
	equal(next(cancelled, "the notification"), "watching", "cancelled consumer")
	if delivery, open := <-deliveries; open {
		panic(fmt.Errorf("a delivery after the queue is gone: %v", delivery))
	}
	privateQueue(channel)
}

func refusals(c *client) {
	connection := c.connect()
	channel := func() *amqp.Channel { return must(connection.Channel()) }
	mine := c.channel()
	must(mine.QueueDeclare("interop.go.locked", false, false, true, false, nil))
	_, err := channel().QueueDeclare("interop.go.locked", false, false, true, false, nil)
	refused(err, 405, "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'interop.go.locked' in vhost '/'")
	_, err = channel().QueueDeclarePassive("interop.no", false, false, false, false, nil)
	refused(err, 404, "NOT_FOUND - no queue 'interop.no' in vhost '/'")
	err = channel().ExchangeDeclarePassive("interop.no", "direct", false, false, false, false, nil)
	refused(err, 404, "NOT_FOUND - no exchange 'interop.no' in vhost '/'")
	durableQueue(mine, "interop.go.same")
	_, err = channel().QueueDeclare("interop.go.same", true, false, false, false, amqp.Table{"x-expires": int32(60000)})
	refused(err, 406, "PRECONDITION_FAILED - inequivalent arg 'x-expires' for queue 'interop.go.same' in vhost '/': "+
		"received the value '60000' of type 'signedint' but current is none")
	must(mine.QueueDelete("interop.go.same", false, false, false))
	// A reused consumer tag is the one mistake here that costs the connection.
	bad := channel()
	queue := privateQueue(bad)
	consume(bad, queue, "twice", true)
	closed := connection.NotifyClose(make(chan *amqp.Error, 1))
	_, _ = bad.Consume(queue, "twice", true, false, false, false, nil)
	refused(next(closed, "connection.close"), 530, "NOT_ALLOWED - attempt to reuse consumer tag 'twice'")
}

func wrongPassword(*client) {
	uri := must(amqp.ParseURI(url))
	uri.Password = "wrong"
	_, err := amqp.Dial(uri.String())
	refused(err, 403, "username or password not allowed") // the client's own words for connection.close 403
}

func missingVhost(*client) {
	uri := must(amqp.ParseURI(url))
	uri.Vhost = "interop.no"
	_, err := amqp.Dial(uri.String())
	refused(err, 403, "no access to this vhost") // the client's own words for a refused connection.open
}

func heartbeat(c *client) {
	connection := must(amqp.DialConfig(url, amqp.Config{Heartbeat: time.Second}))
	c.connections = append(c.connections, connection)
	channel := must(connection.Channel())
	closed := connection.NotifyClose(make(chan *amqp.Error, 1))
	select {
	case reason := <-closed:
		panic(fmt.Errorf("closed while idle: %v", reason))
	case <-time.After(3500 * time.Millisecond):
	}
	privateQueue(channel)
}

func getCounts(c *client) {
	channel := c.channel()
	queue := privateQueue(channel)
	equal(len(held(channel, queue)), 0, "get-empty")
	for n := 0; n < 3; n++ {
		publish(channel, "", queue, text("x"))
	}
	for left := uint32(2); left < 3; left-- {
		delivery, ok, err := channel.Get(queue, false)
		check(err)
		equal([]any{ok, delivery.MessageCount}, []any{true, left}, "get-ok")
	}
	equal(must(channel.QueueInspect(queue)).Messages, 0, "only ready messages count")
}

func transactions(c *client) {
	connection := c.connect()
	channel, watcher := must(connection.Channel()), must(connection.Channel())
	queue := privateQueue(watcher)
	check(channel.Tx())
	publish(channel, "", queue, text("kept"))
	equal(must(watcher.QueueInspect(queue)).Messages, 0, "before commit")
	check(channel.TxCommit())
	publish(channel, "", queue, text("dropped"))
	check(channel.TxRollback())
	equal(held(watcher, queue), []string{"kept"}, "what is left")
}

// manyChannels opens, uses and closes channels of one connection from many goroutines at once.
func manyChannels(c *client) {
	connection := c.connect()
	done := make(chan error)
	for worker := 0; worker < 50; worker++ {
		go func(worker int) {
			defer func() {
				if reason := recover(); reason != nil {
					done <- fmt.Errorf("worker %d: %v", worker, reason)
				}
			}()
			for round := 0; round < 5; round++ {
				channel := must(connection.Channel())
				queue := privateQueue(channel)
				deliveries := consume(channel, queue, "", true)
				publish(channel, "", queue, text(fmt.Sprint(worker)))
				equal(string(next(deliveries, "delivery").Body), fmt.Sprint(worker), "body")
				check(channel.Close())
			}
			done <- nil
		}(worker)
	}
	for worker := 0; worker < 50; worker++ {
		check(next(done, "a worker"))
	}
}

var scenarios = []struct {
	name string
	run  func(*client)
}{
	{"work_queue", workQueue},
	{"fanout", fanout},
	{"direct", direct},
	{"topic", topic},
	{"headers", headers},
	{"rpc", rpc},
	{"confirms_one_by_one", confirmsOneByOne},
	{"confirms_in_batches", confirmsInBatches},
	{"mandatory_return", mandatoryReturn},
	{"redelivery", redelivery},
	{"large_and_empty_bodies", largeAndEmptyBodies},
	{"properties", properties},
	{"cancel_notification", cancelNotification},
	{"refusals", refusals},
	{"wrong_password", wrongPassword},
	{"missing_vhost", missingVhost},
	{"heartbeat", heartbeat},
	{"get_counts", getCounts},
	{"transactions", transactions},
	{"many_channels", manyChannels},
}

// run gives a scenario its connections and a deadline; a client call that waits for ever is left behind.
func run(scenario func(*client)) any {
	c := &client{}
	done := make(chan any, 1)
	go func() {
		defer func() { done <- recover() }()
		scenario(c)
	}()
	select {
	case failure := <-done:
		c.close()
		return failure
	case <-time.After(3 * patience):
		return "still waiting after " + (3 * patience).String()
	}
}

func wanted(name string) bool {
	for _, only := range os.Args[2:] {
		if only == name {
			return true
		}
	}
	return len(os.Args) == 2
}

func main() {
	code := 0
	for _, scenario := range scenarios {
		if !wanted(scenario.name) {
			continue
		}
		if failure := run(scenario.run); failure != nil {
			fmt.Printf("FAIL %s: %v\n", scenario.name, failure)
			code = 1
		} else {
			fmt.Printf("ok %s\n", scenario.name)
		}
	}
	os.Exit(code)
}
