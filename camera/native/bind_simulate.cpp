#include <nanobind/nanobind.h>

void bind_simulate(nanobind::module_&) {}
