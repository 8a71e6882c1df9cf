// The encodings of ROS's event_camera_msgs as Python classes: stream decoders that are told where a
// packet begins, because each packet has a time base of its own.
#include "bind_decoder.hpp"
#include "decoders/libcaer.hpp"
#include "decoders/libcaer_cmp.hpp"
#include "decoders/mono.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

template <typename Decoder>
void bind_packet_decoder(nb::module_& m, const char* name) {
  bind_decoder<Decoder, std::uint32_t, std::uint32_t>(m, name, "width"_a, "height"_a)
      .def("announce", &Decoder::announce, "time_base"_a, "n_bytes"_a);
}

}  // namespace

void bind_ros(nb::module_& m) {
  bind_packet_decoder<saccade::LibcaerDecoder>(m, "LibcaerDecoder");
  bind_packet_decoder<saccade::LibcaerCmpDecoder>(m, "LibcaerCmpDecoder");
  bind_packet_decoder<saccade::MonoDecoder>(m, "MonoDecoder");
}
