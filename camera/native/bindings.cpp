// The Python module: typed arrays in, typed arrays out; every long loop runs without the GIL.
#include <nanobind/nanobind.h>

namespace nb = nanobind;

void bind_aedat(nb::module_& m);
void bind_cuda(nb::module_& m);
void bind_cuda_representations(nb::module_& m);
void bind_decoders(nb::module_& m);
void bind_evt(nb::module_& m);
void bind_encoders(nb::module_& m);
void bind_filters(nb::module_& m);
void bind_frames(nb::module_& m);
void bind_hdf5(nb::module_& m);
void bind_plain(nb::module_& m);
void bind_ranking(nb::module_& m);
void bind_representations(nb::module_& m);
void bind_ros(nb::module_& m);
void bind_runner(nb::module_& m);
void bind_simulate(nb::module_& m);
void bind_slices(nb::module_& m);
void bind_streams(nb::module_& m);
void bind_unpack(nb::module_& m);
void bind_words(nb::module_& m);

NB_MODULE(_native, m) {
  m.doc() = "saccade's native core: decoders, frames and the event simulator.";
  bind_aedat(m);
  bind_decoders(m);
  bind_evt(m);
  bind_encoders(m);
  bind_filters(m);
  bind_frames(m);
  bind_cuda(m);  // after the frames, whose kinds it takes
  bind_cuda_representations(m);
  bind_runner(m);  // and after the devices
  bind_hdf5(m);
  bind_plain(m);
  bind_ranking(m);
  bind_representations(m);
  bind_ros(m);
  bind_simulate(m);
  bind_slices(m);
  bind_streams(m);
  bind_unpack(m);
  bind_words(m);
}
