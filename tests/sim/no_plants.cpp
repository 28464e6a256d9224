// genai-sim runs the cores as they are shipped.
#include "plants.h"

bool genai::sim::plant(unsigned) { return false; }
