#!/usr/bin/python3
"""The ledger of the kill test notices each broken promise; a test that cannot fail proves nothing."""

import unittest

from ledger import Ledger


class LedgerTest(unittest.TestCase):
    def setUp(self):
        self.ledger = Ledger()
        self.ledger.publishes("p", ["a", "b"])

    def deliver(self, number, redelivered=False, queues=("a", "b")):
        for queue in queues:
            self.ledger.on_delivered(queue, "p", number, redelivered)

    def broken(self):
        self.ledger.close()
        return sorted(promise for promise, examples in self.ledger.broken.items() if examples)

    def test_everything_is_well(self):
        self.ledger.on_confirmed("p", [1, 2])
        self.deliver(1)
        self.deliver(1, redelivered=True)
        self.deliver(2)
        self.assertEqual(self.broken(), [])

    def test_confirmed_but_missing_in_one_queue(self):
        self.ledger.on_confirmed("p", [1])
        self.deliver(1, queues=["a"])
        self.assertEqual(self.broken(), ["lost"])
        self.assertEqual(self.ledger.broken["lost"], ["p#1 from b"])

    def test_unconfirmed_may_be_missing(self):
        self.ledger.on_sent("p", 3)
        self.deliver(3)
        self.assertEqual(self.broken(), [])

    def test_settled_comes_again(self):
        self.deliver(1)
        self.ledger.on_settled("a", [("p", 1)])
        self.deliver(1, redelivered=True)
        self.assertEqual(self.ledger.broken["repeated"], ["p#1 from a"])

    def test_again_without_the_mark(self):
        self.deliver(1)
        self.deliver(1)
        self.assertEqual(self.broken(), ["unmarked"])

    def test_first_deliveries_out_of_order(self):
        self.deliver(2)
        self.deliver(1)
        self.assertEqual(self.broken(), ["disordered"])

    def test_a_return_means_a_lost_binding(self):
        self.ledger.on_returned("p", "312 NO_ROUTE")
        self.assertEqual(self.broken(), ["unbound"])


if __name__ == "__main__":
    unittest.main()
