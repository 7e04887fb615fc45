"""What happened, in the order in which the test saw it: one Event per step of an operation.

    kind        says                                                       message    detail
    publish     a publication was sent (invoke); subject is `marker` for   yes        the target
                what only proves acks, and then the target is a queue
    confirm     basic.ack came for it (ok)                                 yes
    nack        basic.nack came for it (fail)                              yes
    unknown     its channel ended first, or patience did (info)            yes
    return      it came back as unroutable                                 yes        reply text
    deliver     a delivery arrived; subject is the queue                   yes        [redelivered, x-delivery-count]
    ack         basic.ack was sent for it; nothing answers an ack          yes
    settled     a later publication of the same channel into the same      yes
                queue was confirmed: that ack has taken effect
    requeue     basic.nack with requeue was sent for it                    yes
    lost        the channel ended by itself                                           why
    closed      the client closed the channel, before anything that follows
    invoke      a metadata operation began; subject is its key                        [id, operation]
    ok          it was confirmed                                                      [id, value seen]
    fail        it was refused, for certain                                           [id, why]
    info        nobody knows                                                          [id, why]
    fault       the fault `subject` struck; heal: it is over
    begin, end  publishers work between these two
    left        messages a node saw in a queue after everything was                   count, or why it could not say
                drained; subject is the queue

A message is (publisher, number, attempt): what is published again, because nobody knows whether the first attempt was
taken, is another attempt of the same number. Time is monotonic, in seconds.
"""

import json
import time
from typing import Any, NamedTuple, Optional, Tuple

Message = Tuple[str, int, int]


class Event(NamedTuple):
    time: float
    kind: str
    client: str = ""
    node: str = ""  # the node that the client was connected to
    channel: str = ""  # unique in the history; a publisher's or consumer's channel lives once
    subject: str = ""
    message: Optional[Message] = None
    detail: Any = None


class History:
    """Events as they come. One thread writes."""

    def __init__(self, clock=time.monotonic):
        self.clock = clock
        self.events = []

    def add(self, kind, client="", node="", channel="", subject="", message=None, detail=None):
        self.events.append(Event(self.clock(), kind, client, node, channel, subject, message, detail))

    def save(self, path):
        with open(path, "w") as file:
            for event in self.events:
                file.write(json.dumps(event) + "\n")


def load(path):
    with open(path) as file:
        rows = [Event(*json.loads(line)) for line in file]
    return [row._replace(message=tuple(row.message)) if row.message else row for row in rows]
