// Runs a check for each of the methods, with every field set to something that is not its default.
#pragma once
#include <boost/describe/members.hpp>
#include <boost/mp11.hpp>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "broker/amqp/methods.h"
#include "broker/amqp/table_codec.h"

namespace quorate::amqp {

/// Lives as long as the test program, because methods borrow.
inline ByteView sample_table() {
  static const std::vector<std::byte> kEncoded =
      encode_table(Table{.fields = {{"x-max-length", std::int32_t{10}}, {"x-mode", std::string("a b")}}});
  return kEncoded;
}

template <std::unsigned_integral T>
void fill(T& field) {
  field = static_cast<T>(0x0102030405060708u);
}
inline void fill(Bit& field) { field.on = true; }
inline void fill(ShortString& field) { field.text = "short \"string\""; }
inline void fill(LongString& field) { field.text = std::string_view("long\0string", 11); }
inline void fill(TableView& field) { field.encoded = sample_table(); }

template <class T>
using FieldsOf = boost::describe::describe_members<T, boost::describe::mod_public>;

template <class T>
T filled() {
  T method;
  boost::mp11::mp_for_each<FieldsOf<T>>([&](auto field) { fill(method.*(field.pointer)); });
  return method;
}

/// Calls check(method) with a filled value of every alternative of Method.
template <class F>
void for_each_method(F&& check) {
  boost::mp11::mp_for_each<boost::mp11::mp_transform<std::type_identity, Method>>(
      [&](auto identity) { check(filled<typename decltype(identity)::type>()); });
}

}  // namespace quorate::amqp
