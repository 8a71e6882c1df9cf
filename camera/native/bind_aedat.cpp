// The decoders of AEDAT 2 and 3 as Python classes.
#include "bind_decoder.hpp"
#include "decoders/aedat2.hpp"
#include "decoders/aedat3.hpp"

namespace nb = nanobind;
using namespace nb::literals;

void bind_aedat(nb::module_& m) {
  using saccade::Aedat2Decoder;
  nb::enum_<Aedat2Decoder::Layout>(m, "Aedat2Layout")
      .value("dvs128", Aedat2Decoder::Layout::dvs128)
      .value("davis", Aedat2Decoder::Layout::davis);
  bind_decoder<Aedat2Decoder, std::uint32_t, std::uint32_t, Aedat2Decoder::Layout>(
      m, "Aedat2Decoder", "width"_a, "height"_a, "layout"_a);
  bind_decoder<saccade::Aedat3Decoder, std::uint32_t, std::uint32_t, bool>(
      m, "Aedat3Decoder", "width"_a, "height"_a, "png_frames"_a);
}
