#!/bin/bash
# Debian's amqp-tools (librabbitmq) against the broker. Called as `amqp_tools.sh URL [NAME…]`; prints
# `ok NAME` or `FAIL NAME: reason`.
set -uo pipefail
url=${1%/} # librabbitmq reads a final slash as the vhost with the empty name
shift
only=" $* "
queue=interop.tools
failed=0

for tool in amqp-declare-queue amqp-publish amqp-get amqp-consume amqp-delete-queue; do
  eval "$tool() { timeout 10 $tool \"\$@\"; }"
done

# is WHAT GOT WANTED: fails the scenario unless the two are the same.
is() {
  [[ "$2" == "$3" ]] || { echo "$1: expected '$3', got '$2'"; return 1; }
}

publish_and_get() {
  is "declared name" "$(amqp-declare-queue -u "$url" -q $queue -d)" $queue || return
  amqp-publish -u "$url" -r $queue -p -C text/plain -H "kind: greeting" -b "hello" || return
  is body "$(amqp-get -u "$url" -q $queue)" hello || return
  amqp-get -u "$url" -q $queue >/dev/null
  is "exit code of get on an empty queue" $? 2
}

publish_lines() {
  amqp-declare-queue -u "$url" -q $queue -d >/dev/null || return
  printf 'one\ntwo\nthree\n' | amqp-publish -u "$url" -r $queue -l || return
  is "bodies in order" "$(amqp-consume -u "$url" -q $queue -c 3 -p 1 cat | tr -s '\n' ' ')" "one two three "
}

fanout_to_an_exclusive_queue() {
  local folder consumer
  folder=$(mktemp -d)
  mkfifo "$folder/out"
  amqp-consume -u "$url" -x -e amq.fanout -r ignored -c 1 cat >"$folder/out" 2>"$folder/error" &
  consumer=$!
  exec {out}<"$folder/out"
  # The consumer does not say when it has bound its queue: publish until it has one message.
  local body="" tries=0
  while [[ -z "$body" ]] && ((tries++ < 100)); do
    amqp-publish -u "$url" -e amq.fanout -b "to all" || break
    read -r -t 0.1 -u "$out" body || true
  done
  exec {out}<&-
  kill $consumer 2>/dev/null
  wait $consumer 2>/dev/null
  rm -rf "$folder"
  is body "$body" "to all"
}

delete() {
  amqp-declare-queue -u "$url" -q $queue -d >/dev/null || return
  amqp-publish -u "$url" -r $queue -b x || return
  is "messages deleted" "$(amqp-delete-queue -u "$url" -q $queue)" 1 || return
  amqp-get -u "$url" -q $queue >/dev/null 2>&1 && echo "the queue is still there" && return 1
  return 0
}

wrong_password() {
  local said
  said=$(amqp-get -u "${url/guest:guest/guest:wrong}" -q $queue 2>&1) && echo "let in" && return 1
  [[ "$said" == *ACCESS_REFUSED* ]] || { echo "said: $said"; return 1; }
}

amqp-delete-queue -u "$url" -q $queue >/dev/null 2>&1
for name in publish_and_get publish_lines fanout_to_an_exclusive_queue delete wrong_password; do
  [[ "$only" == "  " || "$only" == *" $name "* ]] || continue
  if reason=$($name 2>&1); then
    echo "ok $name"
  else
    echo "FAIL $name: ${reason//$'\n'/ }"
    failed=1
  fi
done
exit $failed
