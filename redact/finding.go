package redact

import (
	"cmp"
	"slices"
)

// Form names the way in which a value stood in a stream.
type Form string

// The forms, in which a line of a value or the password in it may stand, too.
// Where two write a value alike, as most do one of letters and digits, the plainer
// counts.
const (
	FormRaw        Form = "raw"         // as it is
	FormLineBreaks Form = "line-breaks" // with other line breaks, or in one line
	FormLine       Form = "line"        // a line of it
	FormPassword   Form = "password"    // the password in it, which is a connection string, or a secret member of it, which is JSON
	FormJSON       Form = "json"
	FormGo         Form = "go"     // %q and %+q
	FormPython     Form = "python" // repr and ascii
	FormShell      Form = "shell"
	FormURL        Form = "url"     // percent-encoded
	FormMarkup     Form = "markup"  // HTML and XML
	FormScript     Form = "script"  // JavaScript in pages
	FormDoubled    Form = "doubled" // a quote or a dollar doubled: SQL, CSV, Compose
	FormHex        Form = "hex"
	FormBase64     Form = "base64"
)

// Known reports whether it is one of the forms above.
func (f Form) Known() bool {
	switch f {
	case FormRaw, FormLineBreaks, FormLine, FormPassword, FormJSON, FormGo, FormPython, FormShell, FormURL, FormMarkup, FormScript, FormDoubled, FormHex, FormBase64:
		return true
	}
	return false
}

// A Finding tells how often a secret stood in a stream in one form. It holds
// nothing of the secret's value.
type Finding struct {
	Key   string `json:"key"` // as in the [Needle]
	Form  Form   `json:"form"`
	Count int    `json:"count"` // masks that were put for it
}

// kind is what is counted of a match: the needle's index, and the form.
type kind struct {
	needle int32
	form   Form
}

// findings counts by key and form.
type findings map[kind]int

func (f findings) list(needles []Needle) []Finding {
	var list []Finding
	for k, n := range f {
		list = append(list, Finding{Key: needles[k.needle].Key, Form: k.form, Count: n})
	}
	return MergeFindings(list)
}

// MergeFindings adds up the findings of several streams, such as both outputs of
// a command: one for each key and form, ordered by them.
func MergeFindings(lists ...[]Finding) []Finding {
	all := slices.Concat(lists...)
	slices.SortFunc(all, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Form, b.Form))
	})
	merged := all[:0]
	for _, f := range all {
		if last := len(merged) - 1; last >= 0 && merged[last].Key == f.Key && merged[last].Form == f.Form {
			merged[last].Count += f.Count
			continue
		}
		merged = append(merged, f)
	}
	return merged
}
