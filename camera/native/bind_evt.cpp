// The decoders of EVT2.1 and DAT as Python classes.
#include "bind_decoder.hpp"
#include "decoders/dat.hpp"
#include "decoders/evt21.hpp"

namespace nb = nanobind;
using namespace nb::literals;

void bind_evt(nb::module_& m) {
  bind_decoder<saccade::Evt21Decoder, std::uint32_t, std::uint32_t, bool>(
      m, "Evt21Decoder", "width"_a, "height"_a, "legacy"_a)
      .def("count", &count<saccade::Evt21Decoder>, "data"_a.noconvert(), "slices"_a)
      .def_prop_ro("triggers", &triggers<saccade::Evt21Decoder>);
  bind_decoder<saccade::DatDecoder, std::uint32_t, std::uint32_t, std::uint32_t>(
      m, "DatDecoder", "width"_a, "height"_a, "version"_a)
      .def("count", &count<saccade::DatDecoder>, "data"_a.noconvert(), "slices"_a);
}
