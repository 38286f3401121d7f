package views

import (
	"strings"

	"infsh/openapi"
)

// APIDocs is the page of the JSON API's description.
type APIDocs = openapi.Outline

// span is a piece of prose: plain, `code` or **strong**.
type span struct {
	text         string
	code, strong bool
}

// spans reads the two marks that the description's prose has.
func spans(prose string) (out []span) {
	for i, part := range strings.Split(prose, "`") {
		if i%2 == 1 {
			out = append(out, span{text: part, code: true})
			continue
		}
		for j, piece := range strings.Split(part, "**") {
			if piece != "" {
				out = append(out, span{text: piece, strong: j%2 == 1})
			}
		}
	}
	return out
}
