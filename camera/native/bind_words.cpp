// Raw words cut into slices as they are: what a GPU decodes.
#include "bind_decoder.hpp"
#include "word_cutter.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using saccade::WordCutter;

namespace {

std::size_t cut(WordCutter& self, const Bytes& bytes) {
  if (self.due()) throw nb::value_error("a slice is due: take it first");
  nb::gil_scoped_release unlocked;
  return self.cut(bytes.data(), bytes.size());
}

nb::object take(WordCutter& self) {
  if (!self.due()) return nb::none();
  const auto cut = self.take();
  return nb::make_tuple(cut.t_begin, cut.t_end, cut.t_last, cut.first, cut.last, cut.restarts);
}

nb::bytes lead(const WordCutter& self) {
  std::array<std::uint8_t, WordCutter::kMostLead> words;
  const std::size_t n = self.lead(words);
  return nb::bytes(words.data(), n);
}

void bind_counts(nb::class_<WordCutter>& cutter) {
  namespace cuda = saccade::cuda;
  cutter.def_prop_ro("dropped", [](const WordCutter& self) {
    const auto& found = self.tallies();
    nb::dict out;
    out["before_time"] = found[cuda::kBeforeTime];
    if (self.word_bytes() == 2) {
      out["missing_y"] = found[cuda::kMissingY];
      out["missing_base"] = found[cuda::kMissingBase];
    }
    out["out_of_bounds"] = found[cuda::kOutOfBounds];
    out["unknown_word"] = found[cuda::kUnknown];
    return out;
  });
  cutter.def_prop_ro("skipped", [](const WordCutter& self) {
    const auto& found = self.tallies();
    nb::dict out;
    out["triggers"] = found[cuda::kTriggers];
    out["others"] = found[cuda::kOthers];
    out["continued"] = found[cuda::kContinued];
    out["time_backwards"] = found[cuda::kBackwards];
    return out;
  });
}

}  // namespace

void bind_words(nb::module_& m) {
  auto cutter = nb::class_<WordCutter>(m, "WordCutter");
  cutter
      .def(
          "__init__",
          [](WordCutter* self, bool evt3, std::uint32_t width, std::uint32_t height,
             std::uint64_t window_us) {
            if (width < 1 || height < 1 || width > 2048 || height > 2048 || window_us < 1)
              throw nb::value_error("sides must be from 1 to 2048, and the window above 0");
            new (self) WordCutter(evt3, width, height, window_us);
          },
          "evt3"_a, "width"_a, "height"_a, "window_us"_a)
      .def("cut", &cut, "data"_a.noconvert())
      .def("take", &take)
      .def("finish", &WordCutter::finish)
      .def_prop_ro("word_bytes", &WordCutter::word_bytes)
      .def_prop_ro("due", &WordCutter::due)
      .def_prop_ro("events", &WordCutter::events)
      .def_prop_ro("lead", &lead);
  bind_counts(cutter);
}
