// One stream decoder as a Python class: bytes in, columns out, the GIL released while it runs.
#pragma once
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>

#include <memory>

#include "arrays.hpp"
#include "bind_slices.hpp"
#include "decoders/counting.hpp"
#include "decoders/decoder.hpp"
#include "decoders/triggers.hpp"

using Bytes = nanobind::ndarray<const std::uint8_t, nanobind::ndim<1>, nanobind::c_contig,
                                nanobind::device::cpu>;

template <typename T>
Column<T> column(std::unique_ptr<T[]>&& values, std::size_t size) {
  T* data = values.get();
  nanobind::capsule owner(data, [](void* p) noexcept { delete[] static_cast<T*>(p); });
  values.release();
  return Column<T>(data, {size}, owner);
}

// The four columns as arrays over one block, which the last of them gives back.
inline nanobind::tuple columns(saccade::EventColumns&& e) {
  const nanobind::capsule owner(e.block.get(), [](void* block) noexcept {
    saccade::ReturnBlock()(static_cast<std::uint8_t*>(block));
  });
  e.block.release();
  const std::size_t n = e.size;
  return nanobind::make_tuple(
      Column<std::uint64_t>(e.t.get(), {n}, owner), Column<std::uint16_t>(e.x.get(), {n}, owner),
      Column<std::uint16_t>(e.y.get(), {n}, owner), Column<bool>(e.on.get(), {n}, owner));
}

template <typename Decoder>
nanobind::tuple decode(Decoder& decoder, const Bytes& bytes) {
  saccade::EventColumns out(0);
  {
    nanobind::gil_scoped_release unlocked;
    out = decoder.decode(bytes.data(), bytes.size());
  }
  return columns(std::move(out));
}

// Counts words until a slice is due; the bytes that it took.
template <typename Decoder>
std::size_t count(Decoder& decoder, const Bytes& bytes, PythonSliceCounter& to) {
  saccade::SliceCounter& slices = to.ready_for(decoder);
  nanobind::gil_scoped_release unlocked;
  return saccade::count_words(decoder, bytes.data(), bytes.size(), slices);
}

inline nanobind::dict to_dict(const saccade::Counts& counts) {
  nanobind::dict out;
  for (const auto& [name, count] : counts) out[name] = count;
  return out;
}

template <typename Decoder>
nanobind::object damage(const Decoder& decoder) {
  const auto found = decoder.damage();
  if (!found) return nanobind::none();
  return nanobind::make_tuple(found->what, found->offset);
}

// The triggers of the last decode() call: t uint64, id uint8, value uint8.
template <typename Decoder>
nanobind::tuple triggers(const Decoder& decoder) {
  saccade::TriggerColumns found = decoder.triggers();
  return nanobind::make_tuple(to_numpy(std::move(found.t)), to_numpy(std::move(found.id)),
                              to_numpy(std::move(found.value)));
}

// `m.name(args...)`: see decoders/decoder.hpp.
template <typename Decoder, typename... Args, typename... Names>
auto bind_decoder(nanobind::module_& m, const char* name, const Names&... names) {
  return nanobind::class_<Decoder>(m, name)
      .def(nanobind::init<Args...>(), names...)
      .def("decode", &decode<Decoder>, nanobind::arg("data").noconvert())
      .def_prop_ro("dropped", [](const Decoder& d) { return to_dict(d.dropped()); })
      .def_prop_ro("skipped", [](const Decoder& d) { return to_dict(d.skipped()); })
      .def_prop_ro("pending_bytes", &Decoder::pending_bytes)
      .def_prop_ro("damage", &damage<Decoder>);
}
