// A load loop on amqp091-go, as small as it can be: one producer with a window of confirms, one consumer. What
// quorate-perf says of the same load must agree with it; perf_agreement.py runs both.
//
//	perf_agreement URL QUEUE SECONDS RATE WINDOW SIZE        RATE 0 is unlimited
//
// Prints one JSON object: rates of the window, and how many were sent, confirmed and received altogether.
package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"os"
	"sort"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	prefetch = 1000
	ackEvery = 100
)

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func number(at int) int { return must(strconv.Atoi(os.Args[at])) }

// consume counts until `total` says how many there will be; it tells the age of each message.
func consume(channel *amqp.Channel, queue string, total <-chan int, done chan<- []time.Duration, begin time.Time) {
	check(channel.Qos(prefetch, 0, false))
	deliveries := must(channel.Consume(queue, "", false, false, false, false, nil))
	wanted := -1
	var ages []time.Duration
	for len(ages) != wanted {
		select {
		case wanted = <-total:
		case delivery := <-deliveries:
			sent := time.Duration(binary.BigEndian.Uint64(delivery.Body))
			ages = append(ages, time.Since(begin)-sent)
			if len(ages)%ackEvery == 0 {
				check(delivery.Ack(true))
			}
		}
	}
	done <- ages
}

func produce(channel *amqp.Channel, queue string, rate, window, size int, begin, end time.Time) (sent, confirmed int) {
	check(channel.Confirm(false))
	confirms := channel.NotifyPublish(make(chan amqp.Confirmation, window))
	ctx := context.Background()
	take := func(confirmation amqp.Confirmation) {
		if !confirmation.Ack {
			panic("nack")
		}
		confirmed++
	}
	for now := time.Now(); now.Before(end); now = time.Now() {
		if rate > 0 {
			due := begin.Add(time.Duration(sent) * time.Second / time.Duration(rate))
			if due.After(now) {
				time.Sleep(due.Sub(now))
			}
		}
		for sent-confirmed >= window {
			take(<-confirms)
		}
		body := make([]byte, size)
		binary.BigEndian.PutUint64(body, uint64(time.Since(begin)))
		message := amqp.Publishing{DeliveryMode: amqp.Persistent, Body: body}
		check(channel.PublishWithContext(ctx, "", queue, false, false, message))
		sent++
	}
	for confirmed < sent {
		take(<-confirms)
	}
	return sent, confirmed
}

func main() {
	url, queue := os.Args[1], os.Args[2]
	seconds, rate, window, size := number(3), number(4), number(5), number(6)
	producer := must(must(amqp.Dial(url)).Channel())
	consumer := must(must(amqp.Dial(url)).Channel())
	must(producer.QueueDeclare(queue, true, true, false, false, nil))

	begin := time.Now()
	total, done := make(chan int, 1), make(chan []time.Duration, 1)
	go consume(consumer, queue, total, done, begin)
	sent, confirmed := produce(producer, queue, rate, window, size, begin, begin.Add(time.Duration(seconds)*time.Second))
	length := time.Since(begin).Seconds()
	total <- sent
	ages := <-done
	sort.Slice(ages, func(a, b int) bool { return ages[a] < ages[b] })
	check(json.NewEncoder(os.Stdout).Encode(map[string]any{
		"sent": sent, "confirmed": confirmed, "received": len(ages),
		"rate":                float64(sent) / length,
		"delivery_latency_us": map[string]float64{"p50": float64(ages[len(ages)/2].Nanoseconds()) / 1000},
	}))
}
