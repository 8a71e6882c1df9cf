// The decoders as Python classes: bytes in, columns out, the GIL released while they run.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>

#include "aedat4.hpp"
#include "arrays.hpp"
#include "evt2.hpp"
#include "evt3.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using Bytes = nb::ndarray<const std::uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

template <typename T>
Column<T> column(std::unique_ptr<T[]>&& values, std::size_t size) {
  T* data = values.get();
  nb::capsule owner(data, [](void* p) noexcept { delete[] static_cast<T*>(p); });
  values.release();
  return Column<T>(data, {size}, owner);
}

nb::tuple columns(saccade::EventColumns&& e) {
  return nb::make_tuple(column(std::move(e.t), e.size), column(std::move(e.x), e.size),
                        column(std::move(e.y), e.size), column(std::move(e.on), e.size));
}

template <typename Decoder>
nb::tuple decode(Decoder& decoder, const Bytes& bytes) {
  saccade::EventColumns out(0);
  {
    nb::gil_scoped_release unlocked;
    out = decoder.decode(bytes.data(), bytes.size());
  }
  return columns(std::move(out));
}

nb::dict evt2_dropped(const saccade::Evt2Decoder& decoder) {
  const auto& c = decoder.counters();
  nb::dict out;
  out["before_time"] = c.before_time;
  out["out_of_bounds"] = c.out_of_bounds;
  out["unknown_word"] = c.unknown_word;
  return out;
}

nb::dict evt3_dropped(const saccade::Evt3Decoder& decoder) {
  const auto& c = decoder.counters();
  nb::dict out;
  out["before_time"] = c.before_time;
  out["missing_y"] = c.missing_y;
  out["missing_base"] = c.missing_base;
  out["out_of_bounds"] = c.out_of_bounds;
  out["unknown_word"] = c.unknown_word;
  return out;
}

template <typename Decoder>
nb::dict skipped(const Decoder& decoder) {
  const auto& c = decoder.counters();
  nb::dict out;
  out["triggers"] = c.triggers;
  out["others"] = c.others;
  out["continued"] = c.continued;
  out["time_backwards"] = c.time_backwards;
  return out;
}

template <typename Decoder>
void bind_evt(nb::module_& m, const char* name, nb::dict (*dropped)(const Decoder&)) {
  nb::class_<Decoder>(m, name)
      .def(nb::init<std::uint32_t, std::uint32_t>(), "width"_a, "height"_a)
      .def("decode", &decode<Decoder>, "data"_a.noconvert())
      .def_prop_ro("counters", dropped)
      .def_prop_ro("skipped", &skipped<Decoder>)
      .def_prop_ro("pending_bytes", &Decoder::pending_bytes);
}

nb::tuple read_header(const Bytes& bytes) {
  const auto header = saccade::read_aedat4_header(bytes.data(), bytes.size());
  return nb::make_tuple(header.compression, header.table_position,
                        nb::bytes(header.info.data(), header.info.size()));
}

nb::tuple decode_events(const Bytes& payload, std::uint32_t width, std::uint32_t height) {
  saccade::Aedat4Events out{saccade::EventColumns(0)};
  {
    nb::gil_scoped_release unlocked;
    out = saccade::read_aedat4_events(payload.data(), payload.size(), width, height);
  }
  nb::dict dropped;
  dropped["out_of_bounds"] = out.out_of_bounds;
  dropped["negative_time"] = out.negative_time;
  return nb::make_tuple(columns(std::move(out.events)), dropped);
}

}  // namespace

void bind_decoders(nb::module_& m) {
  bind_evt<saccade::Evt2Decoder>(m, "Evt2Decoder", &evt2_dropped);
  bind_evt<saccade::Evt3Decoder>(m, "Evt3Decoder", &evt3_dropped);
  m.def("read_aedat4_header", &read_header, "data"_a.noconvert());
  m.def("decode_events", &decode_events, "payload"_a.noconvert(), "width"_a, "height"_a);
}
