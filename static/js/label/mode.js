// From one by one to the grid and back by key.

import { keys } from "../keys.js";

keys.listen({ "switch-view": () => document.querySelector("[data-switch-view]")?.click() });
