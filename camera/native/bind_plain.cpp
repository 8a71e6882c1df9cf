// The decoders of Event Stream, N-MNIST and text as Python classes.
#include "bind_decoder.hpp"
#include "decoders/es.hpp"
#include "decoders/nmnist.hpp"
#include "decoders/text.hpp"

namespace nb = nanobind;
using namespace nb::literals;

void bind_plain(nb::module_& m) {
  using saccade::EsDecoder;
  nb::enum_<EsDecoder::Kind>(m, "EsKind")
      .value("dvs", EsDecoder::Kind::dvs)
      .value("atis", EsDecoder::Kind::atis)
      .value("colour", EsDecoder::Kind::colour);
  bind_decoder<EsDecoder, std::uint32_t, std::uint32_t, EsDecoder::Kind>(m, "EsDecoder", "width"_a,
                                                                         "height"_a, "kind"_a)
      .def("count", &count<EsDecoder>, "data"_a.noconvert(), "slices"_a);
  bind_decoder<saccade::NmnistDecoder, std::uint32_t, std::uint32_t>(m, "NmnistDecoder", "width"_a,
                                                                     "height"_a);
  nb::class_<saccade::TextLayout>(m, "TextLayout")
      .def(nb::init<std::string, bool, std::uint64_t, std::uint64_t>(), "columns"_a, "seconds"_a,
           "first_line"_a = 1, "total_bytes"_a = 0);
  bind_decoder<saccade::TextDecoder, std::uint32_t, std::uint32_t, saccade::TextLayout>(
      m, "TextDecoder", "width"_a, "height"_a, "layout"_a);
}
