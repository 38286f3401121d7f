package handlers

import "testing"

// What a sentence begins with keeps its case where that is part of a name.
func TestSentence(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "it is needed": "It is needed.", "done.": "Done.", "“type” is missing": "“type” is missing.", "élan": "Élan.",
		"https://token.example names no owner": "https://token.example names no owner.", "client_email is missing": "client_email is missing.",
	} {
		if got := sentence(in); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}
