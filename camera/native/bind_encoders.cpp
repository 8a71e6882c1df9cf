// The encoders as Python classes: columns in, bytes out, the GIL released while they run.
#include "bind_decoder.hpp"
#include "encoders/csv.hpp"
#include "encoders/evt.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

template <typename T>
using Events = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

saccade::EventView view(const Events<std::uint64_t>& t, const Events<std::uint16_t>& x,
                        const Events<std::uint16_t>& y, const Events<bool>& on) {
  if (x.size() != t.size() || y.size() != t.size() || on.size() != t.size()) {
    throw nb::value_error("the columns must have one length");
  }
  return {t.data(), x.data(), y.data(), on.data(), t.size()};
}

template <typename Encode>
Column<std::uint8_t> encoded(Encode encode) {
  saccade::EncodedBytes out;
  {
    nb::gil_scoped_release unlocked;
    out = encode();
  }
  return column(std::move(out.bytes), out.size);
}

template <typename Encoder>
void bind_encoder(nb::module_& m, const char* name) {
  nb::class_<Encoder>(m, name)
      .def(nb::init<std::uint32_t, std::uint64_t>(), "width"_a, "origin_us"_a)
      .def(
          "encode",
          [](Encoder& encoder, const Events<std::uint64_t>& t, const Events<std::uint16_t>& x,
             const Events<std::uint16_t>& y, const Events<bool>& on) {
            const auto events = view(t, x, y, on);
            return encoded([&] { return encoder.encode(events); });
          },
          "t"_a.noconvert(), "x"_a.noconvert(), "y"_a.noconvert(), "on"_a.noconvert())
      .def("undo", &Encoder::undo);
}

}  // namespace

void bind_encoders(nb::module_& m) {
  bind_encoder<saccade::Evt3Encoder>(m, "Evt3Encoder");
  bind_encoder<saccade::Evt2Encoder>(m, "Evt2Encoder");
  m.def(
      "encode_csv",
      [](const Events<std::uint64_t>& t, const Events<std::uint16_t>& x,
         const Events<std::uint16_t>& y, const Events<bool>& on) {
        const auto events = view(t, x, y, on);
        return encoded([&] { return saccade::encode_csv(events); });
      },
      "t"_a.noconvert(), "x"_a.noconvert(), "y"_a.noconvert(), "on"_a.noconvert());
}
