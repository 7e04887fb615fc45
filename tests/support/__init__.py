"""What tests in Python share: processes under test, clusters of them, AMQP by hand, the operator's tools, scenarios."""
