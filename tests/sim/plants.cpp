// genai-sim-planted runs cores with bugs to choose from.
#include "plants.h"

#include "protocol/base/planted.h"

genai::Planted genai::planted = genai::Planted::kNone;

bool genai::sim::plant(unsigned bug) {
  if (bug >= static_cast<unsigned>(Planted::kCount)) return false;
  planted = static_cast<Planted>(bug);
  return true;
}
