#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <limits>

#include "bind_decoder.hpp"
#include "simulate.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using saccade::EventColumns;
using saccade::EventSimulator;
using saccade::SimulatorOptions;
using saccade::View;

namespace {

using Image = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Canvas = nb::ndarray<float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

using Affines = nb::ndarray<const double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Times = nb::ndarray<const std::uint64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

// An image of log intensity that is known to be bounded.
class LightImage {
 public:
  explicit LightImage(Image image) : width_(image.shape(1)), height_(image.shape(0)) {
    const std::size_t n = width_ * height_;
    if (n == 0 || n > std::numeric_limits<std::int32_t>::max())
      throw nb::value_error("image must have from 1 to 2^31 - 1 pixels");
    if (!saccade::is_bounded(image.data(), n))
      throw nb::value_error("image: values must lie between -100 and 100");
    pixels_.assign(image.data(), image.data() + n);
  }

  View view(double a0, double a1, double a2, double a3, double a4, double a5, float fill) const {
    const bool bounded = fill != fill || saccade::is_bounded(&fill, 1);
    if (!bounded) throw nb::value_error("fill: must lie between -100 and 100, or be NaN");
    return {pixels_.data(),
            static_cast<int>(width_),
            static_cast<int>(height_),
            {a0, a1, a2, a3, a4, a5},
            fill};
  }

 private:
  std::size_t width_, height_;
  std::vector<float> pixels_;
};

class Simulator {
 public:
  Simulator(int width, int height, float threshold_on, float threshold_off, float threshold_sigma,
            std::uint32_t refractory_us, float leak_hz, float noise_hz, float noise_in_light,
            float dark, std::uint64_t seed, bool settled, int threads)
      : width_(width),
        height_(height),
        simulator_(SimulatorOptions{width, height, threshold_on, threshold_off, threshold_sigma,
                                    refractory_us, leak_hz, noise_hz, noise_in_light, dark, seed,
                                    settled, threads}) {}

  nb::tuple step(Image frame, std::uint64_t t_us) {
    if (frame.shape(0) != static_cast<std::size_t>(height_) ||
        frame.shape(1) != static_cast<std::size_t>(width_))
      throw nb::value_error("log_frame must be float32 [height, width]");
    EventColumns events(0);
    {
      nb::gil_scoped_release unlocked;
      events = simulator_.step(frame.data(), t_us);
    }
    return columns(std::move(events));
  }

  nb::tuple look(const LightImage& image, Affines affines, float fill, Times times) {
    if (affines.shape(1) != 6 || affines.shape(0) != times.shape(0))
      throw nb::value_error("affines must be float64 [times, 6]");
    std::vector<View> views;
    for (std::size_t k = 0; k < times.shape(0); ++k) {
      const double* a = affines.data() + 6 * k;
      views.push_back(image.view(a[0], a[1], a[2], a[3], a[4], a[5], fill));
    }
    const std::vector<std::uint64_t> at(times.data(), times.data() + times.shape(0));
    EventColumns events(0);
    {
      nb::gil_scoped_release unlocked;
      events = simulator_.look(views, at);
    }
    return columns(std::move(events));
  }

 private:
  int width_, height_;
  EventSimulator simulator_;
};

void show(const LightImage& image, double a0, double a1, double a2, double a3, double a4, double a5,
          float fill, Canvas out) {
  const View view = image.view(a0, a1, a2, a3, a4, a5, fill);
  const auto width = static_cast<int>(out.shape(1));
  nb::gil_scoped_release unlocked;
  const saccade::ViewRows rows(view, width);
  for (std::size_t y = 0; y < out.shape(0); ++y)
    rows.row(static_cast<int>(y), out.data() + y * out.shape(1));
}

}  // namespace

void bind_simulate(nb::module_& m) {
  nb::class_<LightImage>(m, "LightImage")
      .def(nb::init<Image>(), "light"_a.noconvert())
      .def("show", &show, "a0"_a, "a1"_a, "a2"_a, "a3"_a, "a4"_a, "a5"_a, "fill"_a,
           "out"_a.noconvert());
  nb::class_<Simulator>(m, "Simulator")
      .def(nb::init<int, int, float, float, float, std::uint32_t, float, float, float, float,
                    std::uint64_t, bool, int>(),
           "width"_a, "height"_a, "threshold_on"_a, "threshold_off"_a, "threshold_sigma"_a,
           "refractory_us"_a, "leak_hz"_a, "noise_hz"_a, "noise_in_light"_a, "dark"_a, "seed"_a,
           "settled"_a, "threads"_a)
      .def("step", &Simulator::step, "log_frame"_a.noconvert(), "t_us"_a)
      .def("look", &Simulator::look, "image"_a, "affines"_a.noconvert(), "fill"_a,
           "times_us"_a.noconvert());
}
