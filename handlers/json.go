package handlers

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"

	strictjson "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"infsh/problem"
)

// Limits of request bodies, in bytes. A value of 64 KiB needs up to six times
// that as escaped JSON.
const (
	maxBody       = 512 << 10
	maxImportBody = 4 << 20
)

// decode reads a JSON body strictly (RFC 8259 with the rules of RFC 7493):
// duplicate names, invalid UTF-8, data after the value and names that differ in
// case are errors, where encoding/json takes the last and goes on. An unknown
// name is one too, unless lenient: the SDK sends names that this server has no
// use for. An empty body reads as {} if it may be empty.
//
// An error names the field by its JSON pointer (RFC 6901), never the value.
func decode(r *http.Request, into any, opts ...decodeOption) error {
	o := decodeOptions{}
	for _, opt := range opts {
		opt(&o)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
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
	err = strictjson.Unmarshal(body, into, strictjson.RejectUnknownMembers(!o.lenient))
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

// maxPointer bounds how much of a client's own names an error repeats.
const maxPointer = 100

func fieldError(at jsontext.Pointer, message string) error {
	name := string(at)
	if len(name) > maxPointer {
		name = name[:maxPointer] + "…"
	}
	if len(name) > 0 && name[0] == '/' {
		name = name[1:]
	}
	if name == "" {
		return badRequest("The body must be a JSON object.")
	}
	return &problem.Error{Code: problem.BadRequest, Fields: []problem.Field{{Name: name, Message: message}}}
}

type decodeOptions struct{ lenient, mayBeEmpty bool }

type decodeOption func(*decodeOptions)

// lenient ignores unknown names.
func lenient(o *decodeOptions) { o.lenient = true }

// mayBeEmpty takes no body for an empty object.
func mayBeEmpty(o *decodeOptions) { o.mayBeEmpty = true }

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
