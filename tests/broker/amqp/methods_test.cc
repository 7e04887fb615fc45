// The rows of methods.h against the structs they describe: a row that lies about its struct would lie on the wire.
#include "broker/amqp/methods.h"

#include <gtest/gtest.h>

#include <boost/pfr.hpp>
#include <set>
#include <string>

#include "tests/broker/amqp/every_method.h"

namespace quorate::amqp {
namespace {

TEST(Methods, RowsListTheFieldsInTheOrderOfTheStruct) {
  for_each_method([](const auto& method) {
    using T = std::remove_cvref_t<decltype(method)>;
    static_assert(boost::mp11::mp_size<FieldsOf<T>>::value == boost::pfr::tuple_size_v<T>);
    const void* previous = nullptr;
    boost::mp11::mp_for_each<FieldsOf<T>>([&](auto field) {
      const void* address = &(method.*(field.pointer));
      EXPECT_LT(previous, address) << MethodInfo<T>::name << " " << field.name;
      previous = address;
    });
  });
}

TEST(Methods, NamesAndIdsAreUsedOnce) {
  std::set<std::string_view> names;
  std::set<std::uint32_t> ids;
  for_each_method([&](const auto& method) {
    using T = std::remove_cvref_t<decltype(method)>;
    EXPECT_TRUE(names.insert(MethodInfo<T>::name).second) << MethodInfo<T>::name;
    EXPECT_TRUE(ids.insert(MethodInfo<T>::id).second) << MethodInfo<T>::name;
  });
  EXPECT_EQ(names.size(), std::variant_size_v<Method>);
}

TEST(Methods, TheHeldMethodIsKnownByNameAndId) {
  const Method method = QueueUnbindOk{};
  EXPECT_EQ(method_name(method), "queue.unbind-ok");
  EXPECT_EQ(class_id(method), 50);
  EXPECT_EQ(method_id(method), 51);
  EXPECT_EQ(method_name(full_id(method)), "queue.unbind-ok");
  EXPECT_EQ(method_name(std::uint32_t{0}), "");
}

}  // namespace
}  // namespace quorate::amqp
