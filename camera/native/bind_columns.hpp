// Packets as the columns that Python gives.
#pragma once
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <utility>
#include <vector>

#include "representations.hpp"

template <typename T>
using Column =
    nanobind::ndarray<const T, nanobind::ndim<1>, nanobind::c_contig, nanobind::device::cpu>;

struct Columns {
  Column<std::uint64_t> t;
  Column<std::uint16_t> x, y;
  Column<bool> on;

  saccade::EventColumnsView view() const {
    return {t.data(), x.data(), y.data(), reinterpret_cast<const std::uint8_t*>(on.data()),
            x.size()};
  }
};

// The columns (t, x, y, on) of all packets, checked before an event of any is taken.
inline std::vector<Columns> checked(const nanobind::list& packets) {
  namespace nb = nanobind;
  std::vector<Columns> all;
  for (nb::handle item : packets) {
    const auto packet = nb::cast<nb::tuple>(item);
    Columns c;
    if (packet.size() != 4 || !nb::try_cast(packet[0], c.t, false) ||
        !nb::try_cast(packet[1], c.x, false) || !nb::try_cast(packet[2], c.y, false) ||
        !nb::try_cast(packet[3], c.on, false))
      throw nb::type_error("t, x, y and on must be contiguous uint64, uint16, uint16 and bool");
    if (c.t.size() != c.x.size() || c.x.size() != c.y.size() || c.x.size() != c.on.size())
      throw nb::value_error("t, x, y and on must have one length");
    all.push_back(std::move(c));
  }
  return all;
}
