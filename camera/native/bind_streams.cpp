// The streams next to the events as Python functions: AEDAT4's frames, IMU samples and triggers.
#include "arrays.hpp"
#include "bind_decoder.hpp"
#include "decoders/aedat4_streams.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

nb::tuple read_frame(const Bytes& payload) {
  const auto f = saccade::read_aedat4_frame(payload.data(), payload.size());
  return nb::make_tuple(f.t, f.exposure_begin, f.exposure_end,
                        nb::make_tuple(f.height, f.width, f.channels), nb::make_tuple(f.x, f.y),
                        f.first);
}

nb::tuple read_imu(const Bytes& payload) {
  saccade::Aedat4Imu imu;
  {
    nb::gil_scoped_release unlocked;
    imu = saccade::read_aedat4_imu(payload.data(), payload.size());
  }
  return nb::make_tuple(to_numpy(std::move(imu.t)), to_numpy(std::move(imu.temperature)),
                        to_numpy(std::move(imu.accelerometer)), to_numpy(std::move(imu.gyroscope)),
                        to_numpy(std::move(imu.magnetometer)), imu.negative_time);
}

nb::tuple read_triggers(const Bytes& payload) {
  saccade::Aedat4Triggers triggers;
  {
    nb::gil_scoped_release unlocked;
    triggers = saccade::read_aedat4_triggers(payload.data(), payload.size());
  }
  return nb::make_tuple(to_numpy(std::move(triggers.t)), to_numpy(std::move(triggers.kind)),
                        triggers.negative_time);
}

}  // namespace

void bind_streams(nb::module_& m) {
  m.def("read_aedat4_frame", &read_frame, "payload"_a.noconvert());
  m.def("read_aedat4_imu", &read_imu, "payload"_a.noconvert());
  m.def("read_aedat4_triggers", &read_triggers, "payload"_a.noconvert());
}
