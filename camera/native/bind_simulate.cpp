#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include "arrays.hpp"
#include "simulate.hpp"

namespace nb = nanobind;
using saccade::EventSimulator;
using saccade::SimulatedEvents;
using saccade::SimulatorOptions;

namespace {

using Image = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Canvas = nb::ndarray<float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

class Simulator {
 public:
  Simulator(int width, int height, float threshold_on, float threshold_off, float threshold_sigma,
            std::uint32_t refractory_us, float leak_hz, float noise_hz, std::uint64_t seed)
      : width_(width),
        height_(height),
        simulator_(SimulatorOptions{width, height, threshold_on, threshold_off, threshold_sigma,
                                    refractory_us, leak_hz, noise_hz, seed}) {}

  nb::tuple step(Image frame, std::uint64_t t_us) {
    if (frame.shape(0) != static_cast<std::size_t>(height_) ||
        frame.shape(1) != static_cast<std::size_t>(width_))
      throw nb::value_error("log_frame must be float32 [height, width]");
    SimulatedEvents events;
    {
      nb::gil_scoped_release unlocked;
      simulator_.step(frame.data(), t_us, events);
    }
    auto on = to_numpy(std::move(events.on));
    return nb::make_tuple(to_numpy(std::move(events.t)), to_numpy(std::move(events.x)),
                          to_numpy(std::move(events.y)), on.cast().attr("view")("bool"));
  }

 private:
  int width_, height_;
  EventSimulator simulator_;
};

void warp(Image image, double a0, double a1, double a2, double a3, double a4, double a5, float fill,
          Canvas out) {
  if (image.shape(0) == 0 || image.shape(1) == 0) throw nb::value_error("image must not be empty");
  const double affine[6] = {a0, a1, a2, a3, a4, a5};
  nb::gil_scoped_release unlocked;
  saccade::warp(image.data(), static_cast<int>(image.shape(1)), static_cast<int>(image.shape(0)),
                affine, fill, out.data(), static_cast<int>(out.shape(1)),
                static_cast<int>(out.shape(0)));
}

}  // namespace

void bind_simulate(nb::module_& m) {
  nb::class_<Simulator>(m, "Simulator")
      .def(nb::init<int, int, float, float, float, std::uint32_t, float, float, std::uint64_t>(),
           nb::arg("width"), nb::arg("height"), nb::arg("threshold_on"), nb::arg("threshold_off"),
           nb::arg("threshold_sigma"), nb::arg("refractory_us"), nb::arg("leak_hz"),
           nb::arg("noise_hz"), nb::arg("seed"))
      .def("step", &Simulator::step, nb::arg("log_frame").noconvert(), nb::arg("t_us"));
  m.def("warp", &warp, nb::arg("image").noconvert(), nb::arg("a0"), nb::arg("a1"), nb::arg("a2"),
        nb::arg("a3"), nb::arg("a4"), nb::arg("a5"), nb::arg("fill"), nb::arg("out").noconvert());
}
