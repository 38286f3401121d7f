package handlers

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"regexp"
	"strings"
	"sync"

	strictjson "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"infsh/problem"
)

// Limits of request bodies, in bytes. A value of 64 KiB needs up to six times
// that as escaped JSON.
const (
	maxBody       = 512 << 10
	maxImportBody = 4 << 20
	// What can be sent without signing in is an address, a password, a code.
	maxPublicBody = 16 << 10
)

// decode reads a JSON body strictly (RFC 8259 with the rules of RFC 7493):
// duplicate names, also in two spellings that differ in case, invalid UTF-8 and
// data after the value are errors, where encoding/json takes the last and goes
// on. An unknown name is one too: what the SDK sends and this server has no use
// for, the messages name (api/sdk.go). An empty body reads as {} if it may be
// empty.
//
// An error names the field by its JSON pointer (RFC 6901), never the value.
func decode(r *http.Request, into any, opts ...decodeOption) error {
	o := decodeOptions{}
	for _, opt := range opts {
		opt(&o)
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return problem.New(problem.UnsupportedMedia, "Send the body as it is, without a Content-Encoding.")
	}
	body, err := io.ReadAll(r.Body)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return err
	case err != nil:
		return &problem.Error{Code: problem.BadRequest, Detail: "The body ended too early, or is not encoded as the headers say.", Cause: err}
	}
	if len(body) == 0 && o.mayBeEmpty {
		return nil
	}
	if mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || mediaType != "application/json" {
		return problem.New(problem.UnsupportedMedia, "Send JSON, with the header Content-Type: application/json.")
	}
	if len(body) == 0 {
		return badRequest("The body is empty; it must be a JSON object.")
	}
	if jsontext.Value(body).Kind() != '{' {
		return badRequest("The body must be a JSON object.")
	}
	err = strictjson.Unmarshal(body, into, strictjson.RejectUnknownMembers(true))
	if err == nil {
		return nil
	}
	var syntactic *jsontext.SyntacticError
	var semantic *strictjson.SemanticError
	switch {
	case errors.As(err, &semantic):
		return jsonError(semantic.JSONPointer, errors.Is(err, strictjson.ErrUnknownName))
	case errors.As(err, &syntactic):
		if errors.Is(err, jsontext.ErrDuplicateName) {
			return fieldError(syntactic.JSONPointer, "it stands twice in the object")
		}
		if syntactic.JSONPointer != "" {
			return fieldError(syntactic.JSONPointer, "it is not valid JSON in UTF-8")
		}
		return badRequest("The body is not valid JSON (at byte %d, in UTF-8, and nothing after the value).", syntactic.ByteOffset)
	}
	return badRequest("The body is not a JSON object of the expected form.")
}

func jsonError(at jsontext.Pointer, unknown bool) error {
	if unknown {
		return fieldError(at, "there is no such field")
	}
	return fieldError(at, "it has the wrong type")
}

// repeatable is what a name in an error looks like: the names of fields, and
// places in lists. Anything else may be a value that stands where a name belongs.
var repeatable = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(?:[a-z_]{1,32}|[0-9]{1,6})$`) })

// maxPlace is how many steps into a body an error names.
const maxPlace = 6

func fieldError(at jsontext.Pointer, message string) error {
	var names []string
	for name := range at.Tokens() {
		if len(names) == maxPlace {
			names = append(names, "…")
			break
		}
		if !repeatable().MatchString(name) {
			name = "…"
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return badRequest("The body must be a JSON object.")
	}
	name := strings.Join(names, "/")
	return &problem.Error{Code: problem.BadRequest, Fields: []problem.Field{{Name: name, Message: message}}}
}

type decodeOptions struct{ mayBeEmpty bool }

type decodeOption func(*decodeOptions)

// mayBeEmpty takes no body for an empty object.
func mayBeEmpty(o *decodeOptions) { o.mayBeEmpty = true }

// noBody refuses a body that says anything.
func noBody(r *http.Request) error {
	var body struct{}
	return decode(r, &body, mayBeEmpty)
}

// writeJSON answers with JSON. A value that can't be encoded is an error, not
// half an answer.
func writeJSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return writeBody(w, status, body)
}

// revealer is an answer that holds a plaintext, and says so by its method.
type revealer interface{ MarshalRevealed() ([]byte, error) }

// writeRevealed answers with a plaintext. Together with the encoder that it
// names it is the only way by which one leaves the server.
func writeRevealed(w http.ResponseWriter, status int, v revealer) error {
	body, err := v.MarshalRevealed()
	if err != nil {
		return err
	}
	return writeBody(w, status, body)
}

func writeBody(w http.ResponseWriter, status int, body []byte) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, err := w.Write(body)
	return err
}
