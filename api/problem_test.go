package api

import (
	"encoding/json"
	"reflect"
	"testing"
)

func TestAProblemComesBackAsItWent(t *testing.T) {
	for _, in := range []Problem{
		{Type: "about:blank", Title: TitleNotFound, Status: 404, Detail: "no such thing"},
		{Type: "about:blank", Title: TitleInvalidField, Status: 422, Detail: "d", Fields: []FieldError{{"key", "is empty"}}},
		{Type: "about:blank", Title: TitleRequirementsNotMet, Status: 412, Instance: "/i", Requirements: []RequirementError{{
			Type: RequirementSecret, Key: "OPENAI_API_KEY", Message: "is not set",
			Action: Action{Type: ActionAddSecret, URL: "http://127.0.0.1:8080/settings/secrets?add=OPENAI_API_KEY"},
		}}},
	} {
		data, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		var out Problem
		if err := json.Unmarshal(data, &out); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(in, out) {
			t.Errorf("%s\ncame back as %+v", data, out)
		}
	}
}

func TestAProblemWithoutATypeIsAboutBlank(t *testing.T) {
	data, err := json.Marshal(Problem{Title: TitleConflict, Status: 409})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(data), `{"type":"about:blank","title":"conflict","status":409,"detail":""}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAProblemOfAnotherKindStillSaysWhatHappened(t *testing.T) {
	var p Problem
	if err := json.Unmarshal([]byte(`{"title":"conflict","status":409,"detail":"d","errors":{"a":1}}`), &p); err != nil {
		t.Fatal(err)
	}
	if p.Title != TitleConflict || p.Detail != "d" {
		t.Errorf("got %+v", p)
	}
}
