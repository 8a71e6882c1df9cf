#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include "bind_decoder.hpp"
#include "filters.hpp"

namespace nb = nanobind;
using saccade::EventFilter;
using saccade::FilterSettings;
using saccade::Polarity;

namespace {

template <typename T>
using In = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Mask = nb::ndarray<const bool, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

void make(EventFilter* self, int width, int height, int x, int y, int columns, int rows,
          Polarity polarity, bool learn_hot, std::uint64_t refractory_us,
          std::uint64_t background_us) {
  if (width < 1 || height < 1 || x < 0 || y < 0 || columns < 1 || rows < 1 || columns > width - x ||
      rows > height - y)
    throw nb::value_error("the region must lie inside the sensor");
  if (refractory_us > EventFilter::kMaxPeriodUs || background_us > EventFilter::kMaxPeriodUs)
    throw nb::value_error("periods must be at most a minute");
  const auto u32 = [](int value) { return static_cast<std::uint32_t>(value); };
  new (self) EventFilter(width, height,
                         FilterSettings{u32(x), u32(y), u32(columns), u32(rows), polarity,
                                        learn_hot, refractory_us, background_us});
}

void mask(EventFilter& self, Mask hot) {
  if (hot.shape(0) != static_cast<std::size_t>(self.height()) ||
      hot.shape(1) != static_cast<std::size_t>(self.width()))
    throw nb::value_error("hot must be bool [height, width]");
  self.mask(hot.data());
}

nb::tuple apply(EventFilter& self, In<std::uint64_t> t, In<std::uint16_t> x, In<std::uint16_t> y,
                In<bool> on) {
  const std::size_t n = t.size();
  if (x.size() != n || y.size() != n || on.size() != n)
    throw nb::value_error("t, x, y and on must have one length");
  saccade::Sifted out{saccade::EventColumns(0), nullptr};
  {
    nb::gil_scoped_release unlocked;
    out = self.apply({t.data(), x.data(), y.data(), on.data()}, n);
  }
  auto* flags = reinterpret_cast<bool*>(out.kept.get());
  const nb::capsule owner(out.kept.get(), [](void* block) noexcept {
    saccade::ReturnBlock()(static_cast<std::uint8_t*>(block));
  });
  out.kept.release();
  return nb::make_tuple(columns(std::move(out.events)), Column<bool>(flags, {n}, owner));
}

auto hot_pixels(const EventFilter& self) {
  const auto rows = static_cast<std::size_t>(self.height());
  const auto* found = new std::vector<std::uint8_t>(self.hot_pixels());
  nb::capsule owner(found,
                    [](void* p) noexcept { delete static_cast<std::vector<std::uint8_t>*>(p); });
  return nb::ndarray<nb::numpy, const bool, nb::ndim<2>>(
      reinterpret_cast<const bool*>(found->data()), {rows, found->size() / rows}, owner);
}

nb::dict removed(const EventFilter& self) {
  const saccade::Removed& counts = self.removed();
  nb::dict out;
  out["roi"] = counts.region;
  out["polarity"] = counts.polarity;
  out["hot"] = counts.hot;
  out["refractory"] = counts.refractory;
  out["background"] = counts.background;
  return out;
}

}  // namespace

void bind_filters(nb::module_& m) {
  nb::enum_<Polarity>(m, "Polarity")
      .value("both", Polarity::kBoth)
      .value("on", Polarity::kOn)
      .value("off", Polarity::kOff);
  nb::class_<EventFilter>(m, "EventFilter")
      .def("__init__", &make, nb::arg("width"), nb::arg("height"), nb::arg("x"), nb::arg("y"),
           nb::arg("columns"), nb::arg("rows"), nb::arg("polarity"), nb::arg("learn_hot"),
           nb::arg("refractory_us"), nb::arg("background_us"))
      .def("mask", &mask, nb::arg("hot").noconvert())
      .def("apply", &apply, nb::arg("t").noconvert(), nb::arg("x").noconvert(),
           nb::arg("y").noconvert(), nb::arg("on").noconvert())
      .def("hot_pixels", &hot_pixels)
      .def_prop_ro("learning", &EventFilter::learning)
      .def_prop_ro("removed", &removed);
}
