#!/usr/bin/env node
// Committed, unlike dist: npm links a command only when its file is there at install time.
import '../dist/cli/main.js';
