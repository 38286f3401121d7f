//go:build race

package redact

// raceEnabled lets the tests that push much data through one goroutine push less.
const raceEnabled = true
