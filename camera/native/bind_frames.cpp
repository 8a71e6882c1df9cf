#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <memory>

#include "bind_slices.hpp"

namespace nb = nanobind;
using saccade::Counting;
using saccade::FrameKind;
using saccade::FrameMaker;

namespace {

template <typename T>
using In = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Frame = nb::ndarray<float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

void add(FrameMaker& self, In<std::uint16_t> x, In<std::uint16_t> y, In<bool> on) {
  if (x.size() != y.size() || x.size() != on.size())
    throw nb::value_error("x, y and on must have one length");
  const auto* polarity = reinterpret_cast<const std::uint8_t*>(on.data());
  nb::gil_scoped_release unlocked;
  self.counters().add(x.data(), y.data(), polarity, x.size());
}

void finish(FrameMaker& self, Frame out) {
  const auto size = static_cast<std::size_t>(self.size());
  if (out.shape(0) != size || out.shape(1) != size)
    throw nb::value_error("out must be float32 [size, size]");
  nb::gil_scoped_release unlocked;
  self.finish(out.data());
}

auto counts(const FrameMaker& self) {
  const auto rows = static_cast<std::size_t>(self.counters().rows());
  const auto columns = static_cast<std::size_t>(self.counters().columns());
  auto data = std::make_unique<std::uint16_t[]>(2 * rows * columns);
  self.counts(data.get());
  std::uint16_t* raw = data.release();
  nb::capsule owner(raw, [](void* p) noexcept { delete[] static_cast<std::uint16_t*>(p); });
  return nb::ndarray<nb::numpy, std::uint16_t, nb::ndim<3>>(raw, {2, rows, columns}, owner);
}

std::size_t add_to(PythonSliceCounter& self, In<std::uint64_t> t, In<std::uint16_t> x,
                   In<std::uint16_t> y, In<bool> on) {
  if (t.size() != x.size() || x.size() != y.size() || x.size() != on.size())
    throw nb::value_error("t, x, y and on must have one length");
  if (self.slices().due()) throw nb::value_error("a slice is due: take it first");
  nb::gil_scoped_release unlocked;
  return self.slices().add(t.data(), x.data(), y.data(), on.data(), t.size());
}

// The slice that is due, its frame in `out`; None where none is.
nb::object take(PythonSliceCounter& self, Frame out) {
  const auto size = static_cast<std::size_t>(self.frames().size());
  if (out.shape(0) != size || out.shape(1) != size)
    throw nb::value_error("out must be float32 [size, size]");
  if (!self.slices().due()) return nb::none();
  saccade::CountedSlice cut;
  {
    nb::gil_scoped_release unlocked;
    cut = self.slices().take();
    self.frames().finish(out.data());
    self.slices().resume();
  }
  return nb::make_tuple(cut.t_begin, cut.t_end, cut.t_last, cut.first, cut.last, cut.restarts);
}

}  // namespace

void bind_slices(nb::module_& m) {
  nb::class_<PythonSliceCounter>(m, "SliceCounter")
      .def(nb::init<nb::object, std::uint64_t, std::uint64_t, unsigned>(), nb::arg("maker"),
           nb::arg("window_us"), nb::arg("count"),
           nb::arg("most_empty") = saccade::SliceRules::kMostEmpty)
      .def("add", &add_to, nb::arg("t").noconvert(), nb::arg("x").noconvert(),
           nb::arg("y").noconvert(), nb::arg("on").noconvert())
      .def("finish", [](PythonSliceCounter& self) { self.slices().finish(); })
      .def(
          "advance",
          [](PythonSliceCounter& self, std::uint64_t t) {
            if (self.slices().due()) throw nb::value_error("a slice is due: take it first");
            self.slices().advance(t);
          },
          nb::arg("t_us"))
      .def("begin_anew",
           [](PythonSliceCounter& self) {
             if (self.slices().due()) throw nb::value_error("a slice is due: take it first");
             self.slices().begin_anew();
           })
      .def("take", &take, nb::arg("out").noconvert())
      .def("take_seen",
           [](PythonSliceCounter& self) {
             const auto [first, last] = self.slices().take_seen();
             return nb::make_tuple(first, last);
           })
      .def_prop_ro("on", [](PythonSliceCounter& self) { return self.frames().counters().on(); })
      .def_prop_ro("due", [](PythonSliceCounter& self) { return self.slices().due(); })
      .def_prop_ro("events", [](PythonSliceCounter& self) { return self.slices().events(); });
}

void bind_frames(nb::module_& m) {
  nb::enum_<FrameKind>(m, "FrameKind")
      .value("paper", FrameKind::kPaper)
      .value("signed", FrameKind::kSigned)
      .value("clamped", FrameKind::kClamped);
  nb::enum_<Counting>(m, "Counting")
      .value("sensor", Counting::kSensor)
      .value("encoder", Counting::kEncoder);
  nb::class_<FrameMaker>(m, "FrameMaker")
      .def(nb::init<int, int, int, FrameKind, Counting, int>(), nb::arg("width"), nb::arg("height"),
           nb::arg("size"), nb::arg("kind"), nb::arg("counting"), nb::arg("clamp"))
      .def("add", &add, nb::arg("x").noconvert(), nb::arg("y").noconvert(),
           nb::arg("on").noconvert())
      .def("finish", &finish, nb::arg("out").noconvert())
      .def("clear", [](FrameMaker& self) { self.counters().clear(); })
      .def("counts", &counts)
      .def_prop_ro("saturated", [](const FrameMaker& self) { return self.counters().saturated(); })
      .def_prop_ro("out_of_bounds",
                   [](const FrameMaker& self) { return self.counters().out_of_bounds(); });
}
