// Assertions about our own code. A failed CHECK is our bug: it prints what was compared and aborts, in every build.
// Input from a peer or a disk never reaches a CHECK unvalidated; those have AmqpError and Result.
#pragma once
#include <concepts>
#include <cstdio>
#include <cstdlib>
#include <source_location>
#include <string>
#include <type_traits>

namespace quorate {

[[noreturn]] inline void fail_check(const char* expression, const std::string& values,
                                    const std::source_location& where) {
  std::fprintf(stderr, "%s:%u: CHECK failed in %s: %s%s\n", where.file_name(), where.line(), where.function_name(),
               expression, values.c_str());
  std::fflush(stderr);
  std::abort();
}

template <class T>
std::string check_value(const T& value) {
  if constexpr (std::is_arithmetic_v<T>) return std::to_string(value);
  if constexpr (std::is_enum_v<T>) return std::to_string(static_cast<long long>(value));
  if constexpr (requires { std::to_string(value.value()); }) return std::to_string(value.value());
  return "?";
}

template <class A, class B>
[[noreturn]] void fail_compare(const char* expression, const A& a, const B& b, const std::source_location& where) {
  fail_check(expression, " (" + check_value(a) + " against " + check_value(b) + ")", where);
}

}  // namespace quorate

#define CHECK(condition)                                                      \
  do {                                                                        \
    if (!(condition)) [[unlikely]]                                            \
      ::quorate::fail_check(#condition, {}, std::source_location::current()); \
  } while (false)

#define QUORATE_CHECK_COMPARE(a, op, b)                                                                     \
  do {                                                                                                      \
    const auto& check_left = (a);                                                                           \
    const auto& check_right = (b);                                                                          \
    if (!(check_left op check_right)) [[unlikely]]                                                          \
      ::quorate::fail_compare(#a " " #op " " #b, check_left, check_right, std::source_location::current()); \
  } while (false)

#define CHECK_EQ(a, b) QUORATE_CHECK_COMPARE(a, ==, b)
#define CHECK_NE(a, b) QUORATE_CHECK_COMPARE(a, !=, b)
#define CHECK_LT(a, b) QUORATE_CHECK_COMPARE(a, <, b)
#define CHECK_LE(a, b) QUORATE_CHECK_COMPARE(a, <=, b)
#define CHECK_GT(a, b) QUORATE_CHECK_COMPARE(a, >, b)
#define CHECK_GE(a, b) QUORATE_CHECK_COMPARE(a, >=, b)
