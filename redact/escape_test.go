package redact

import "testing"

// Values are not encoded by an encoder that keeps all their characters, so each
// must keep what it says, and letters and digits.
func TestEncodersKeepWhatTheySay(t *testing.T) {
	for i, e := range allEncoders() {
		text := alphanumeric + e.keeps
		if got := e.encode(text); got != text {
			t.Errorf("encoder %d keeps %q and wrote %q", i, e.keeps, got)
		}
	}
}
