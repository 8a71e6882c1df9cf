// The decoders of Event Stream and N-MNIST as Python classes.
#include "bind_decoder.hpp"
#include "decoders/es.hpp"
#include "decoders/nmnist.hpp"

namespace nb = nanobind;
using namespace nb::literals;

void bind_plain(nb::module_& m) {
  using saccade::EsDecoder;
  nb::enum_<EsDecoder::Kind>(m, "EsKind")
      .value("dvs", EsDecoder::Kind::dvs)
      .value("atis", EsDecoder::Kind::atis)
      .value("colour", EsDecoder::Kind::colour);
  bind_decoder<EsDecoder, std::uint32_t, std::uint32_t, EsDecoder::Kind>(m, "EsDecoder", "width"_a,
                                                                         "height"_a, "kind"_a);
  bind_decoder<saccade::NmnistDecoder, std::uint32_t, std::uint32_t>(m, "NmnistDecoder", "width"_a,
                                                                     "height"_a);
}
