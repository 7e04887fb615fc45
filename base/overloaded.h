// Overloaded: one visitor for std::visit made of several lambdas, one per alternative.
#pragma once

namespace quorate {

template <class... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};

}  // namespace quorate
