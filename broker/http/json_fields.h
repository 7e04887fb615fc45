// AMQP tables and other values of the broker as JSON.
#pragma once
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace quorate::http {

/// The fields of an encoded AMQP table; what is malformed ends it. Octets that are no UTF-8 are replaced.
boost::json::object json_table(std::string_view encoded);

/// A name or text that a client chose, as JSON may carry it: octets that are no UTF-8 become U+FFFD.
std::string json_text(std::string_view octets);

boost::json::array json_strings(const std::vector<std::string>& texts);

/// The text of a field; empty when it is not there, or something else.
std::string text_at(const boost::json::object& object, std::string_view key);

/// RabbitMQ's `key` and `key_details` of a number whose rate is not kept.
void put_counter(boost::json::object& to, std::string_view key, std::uint64_t value);

}  // namespace quorate::http
