#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include "ranking.hpp"

namespace nb = nanobind;
using saccade::Scorer;
using namespace nb::literals;

namespace {

using Embedding = nb::ndarray<const float, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Places = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Rows = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

// Beyond so many numbers, a tenth of a millisecond, a call lets other threads have the GIL: to get
// it back may take longer than a smaller one.
constexpr std::size_t kLong = 1 << 20;

// An engine's output, known once: to take an array apart costs more than to look at its numbers.
struct FiniteRows {
  const float* values;
  std::size_t rows, n;

  std::ptrdiff_t first_bad(std::size_t count) const {
    if (count > rows) throw nb::value_error("there are fewer rows");
    return saccade::first_not_finite(values, count, n);
  }
};

// The scorer, and what its labels are called.
struct NamedScorer {
  Scorer scorer;
  nb::tuple names;
};

void make_scorer(NamedScorer* self, Rows rows, Places starts, nb::tuple names, float scale) {
  std::vector<std::size_t> begins(starts.data(), starts.data() + starts.size());
  for (std::size_t i = 0; i < begins.size(); ++i)
    if (begins[i] < (i ? begins[i - 1] + 1 : 0) || begins[i] >= rows.shape(0))
      throw nb::value_error("starts must rise, from one row to the next");
  if (names.size() != begins.size()) throw nb::value_error("there must be a name for each start");
  new (self) NamedScorer{
      Scorer(rows.data(), rows.shape(0), rows.shape(1), std::move(begins), scale), names};
}

void compute(const Scorer& scorer, const Embedding& embedding, float* scores) {
  if (embedding.size() != scorer.dimension())
    throw nb::value_error("the embedding has another dimension than the rows");
  if (scorer.size() < kLong) return scorer(embedding.data(), scores);
  const nb::gil_scoped_release unlocked;
  scorer(embedding.data(), scores);
}

auto all_scores(const NamedScorer& self, Embedding embedding) {
  const std::size_t n = self.scorer.labels();
  auto* scores = new float[n];
  nb::capsule owner(scores, [](void* block) noexcept { delete[] static_cast<float*>(block); });
  compute(self.scorer, embedding, scores);
  return nb::ndarray<nb::numpy, float, nb::ndim<1>>(scores, {n}, owner);
}

nb::tuple best_labels(const NamedScorer& self, Embedding embedding, std::size_t top) {
  std::vector<float> scores(self.scorer.labels());
  compute(self.scorer, embedding, scores.data());
  const auto found = saccade::best(scores.data(), scores.size(), top);
  const auto n = static_cast<Py_ssize_t>(found.size());
  nb::object labels = nb::steal(PyTuple_New(n)), values = nb::steal(PyTuple_New(n));
  for (Py_ssize_t i = 0; i < n; ++i) {
    const auto& [place, value] = found[static_cast<std::size_t>(i)];
    PyTuple_SET_ITEM(labels.ptr(), i, nb::object(self.names[place]).release().ptr());
    PyTuple_SET_ITEM(values.ptr(), i, PyFloat_FromDouble(value));
  }
  return nb::make_tuple(labels, values);
}

nb::tuple best(Embedding scores, std::size_t top) {
  nb::list places, values;
  for (const auto& [place, value] : saccade::best(scores.data(), scores.size(), top)) {
    places.append(place);
    values.append(value);
  }
  return nb::make_tuple(places, values);
}

}  // namespace

void bind_ranking(nb::module_& m) {
  nb::class_<FiniteRows>(m, "FiniteRows")
      .def(
          "__init__",
          [](FiniteRows* self, Rows rows) {
            new (self) FiniteRows{rows.data(), rows.shape(0), rows.shape(1)};
          },
          "rows"_a.noconvert(), nb::keep_alive<1, 2>())
      .def("first_bad", &FiniteRows::first_bad, "n"_a);
  nb::class_<NamedScorer>(m, "Scorer")
      .def("__init__", &make_scorer, "rows"_a.noconvert(), "starts"_a.noconvert(), "names"_a,
           "scale"_a, nb::keep_alive<1, 2>())
      .def("scores", &all_scores, "embedding"_a.noconvert())
      .def("best", &best_labels, "embedding"_a.noconvert(), "top"_a);
  m.def("best", &best, "scores"_a.noconvert(), "top"_a);
}
