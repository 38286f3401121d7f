package redact_test

import (
	"bytes"
	"encoding"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"html/template"
	"log"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	texttemplate "text/template"

	jsonv2 "github.com/go-json-experiment/json"

	"infsh/redact"
)

const canary = "canary-7f3a9c-Plaintext"

type exported struct{ Value redact.Value }

type unexported struct{ value redact.Value }

type nested struct {
	Name  string
	inner struct{ list []unexported }
	Ptr   *exported
}

type wrapping struct{ value redact.Value }

func (e wrapping) Error() string { return fmt.Sprintf("no use: %v", e.value) }

// shapes are the ways in which a value can be part of what is printed.
func shapes() map[string]any {
	v := redact.NewValue(canary)
	n := nested{Name: "n", Ptr: &exported{v}}
	n.inner.list = []unexported{{v}}
	var iface any = v
	return map[string]any{
		"value":              v,
		"pointer":            &v,
		"exported field":     exported{v},
		"unexported field":   unexported{v},
		"pointer to struct":  &unexported{v},
		"slice":              []redact.Value{v},
		"array":              [1]redact.Value{v},
		"map value":          map[string]redact.Value{"k": v},
		"map of structs":     map[string]unexported{"k": {v}},
		"interface":          &iface,
		"slice of interface": []any{v, &v, unexported{v}},
		"nested":             n,
		"error":              wrapping{v},
		"wrapped error":      fmt.Errorf("outer: %w", wrapping{v}),
		"joined error":       errors.Join(wrapping{v}, fmt.Errorf("%s %d", v, v)),
		"needle":             redact.Needle{Key: "KEY", Value: v},
		"method values":      []any{v.String, v.GoString},
		"channel":            func() any { c := make(chan redact.Value, 1); c <- v; return c }(),
	}
}

// noLeak fails where text holds the canary or an encoding that fmt may give it.
func noLeak(t *testing.T, how, text string) {
	t.Helper()
	folded := strings.ToLower(text)
	for name, form := range map[string]string{
		"plaintext":     canary,
		"hex":           fmt.Sprintf("%x", canary),
		"spaced hex":    fmt.Sprintf("% x", canary),
		"decimal bytes": strings.Trim(fmt.Sprint([]byte(canary)), "[]"),
		"byte list":     strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", []byte(canary)), "[]byte{"), "}"),
		"base64":        "Y2FuYXJ5LTdmM2E5Yy1QbGFpbnRleH",
	} {
		if strings.Contains(folded, strings.ToLower(form)) {
			t.Errorf("%s shows the %s: %s", how, name, text)
		}
	}
}

func TestNoVerbShowsAValue(t *testing.T) {
	verbs := strings.Split("v,+v,#v,s,+s,q,+q,#q,x,X,# x,d,b,o,O,c,U,#U,e,f,g,G,t,p,#p,w,20s,-20v,.3s,y", ",")
	for shape, value := range shapes() {
		for _, verb := range verbs {
			noLeak(t, "%"+verb+" of a "+shape, fmt.Sprintf("%"+verb, value))
		}
		noLeak(t, "Sprint of a "+shape, fmt.Sprint(value, value))
		noLeak(t, "Sprintln of a "+shape, fmt.Sprintln(value))
		noLeak(t, "an error about a "+shape, fmt.Errorf("bad: %v", value).Error())
	}
}

func TestNoEncoderShowsAValue(t *testing.T) {
	for shape, value := range shapes() {
		var out bytes.Buffer
		// An encoder may refuse a shape; what it wrote and said must not leak.
		try := func(how string, err error) {
			noLeak(t, how+" of a "+shape, out.String()+fmt.Sprint(err))
			out.Reset()
		}
		data, err := json.Marshal(value)
		out.Write(data)
		try("encoding/json", err)
		try("indented encoding/json", json.NewEncoder(&out).Encode(map[string]any{"v": value}))
		data, err = jsonv2.Marshal(value)
		out.Write(data)
		try("json v2", err)
		data, err = xml.Marshal(value)
		out.Write(data)
		try("encoding/xml", err)
		try("encoding/gob", gob.NewEncoder(&out).Encode(value))
		for _, source := range []string{"{{.}}", "{{printf \"%x\" .}}", "{{printf \"%#v\" .}}", "{{html .}}", "{{js .}}", "{{print .}}"} {
			try("text/template "+source, texttemplate.Must(texttemplate.New("").Parse(source)).Execute(&out, value))
			try("html/template "+source, template.Must(template.New("").Parse("<a title=\""+source+"\">"+source+"</a>")).Execute(&out, value))
		}
	}
}

func TestNoLogShowsAValue(t *testing.T) {
	for shape, value := range shapes() {
		var out bytes.Buffer
		options := &slog.HandlerOptions{Level: slog.LevelDebug, AddSource: true}
		for _, handler := range []slog.Handler{slog.NewTextHandler(&out, options), slog.NewJSONHandler(&out, options)} {
			logger := slog.New(handler).With("with", value).WithGroup("group")
			logger.Debug(fmt.Sprint(value), "attr", value, slog.Group("g", "inner", value), slog.Any("any", []any{value}))
		}
		log.New(&out, "", log.LstdFlags).Print(value)
		noLeak(t, "a log line with a "+shape, out.String())
	}
}

func TestAMaskStandsInTheValuesPlace(t *testing.T) {
	v := redact.NewValue(canary)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%10s"} {
		if got := fmt.Sprintf(verb, v); got != redact.Mask {
			t.Errorf("%s gives %s", verb, got)
		}
	}
	for _, got := range []string{v.String(), v.GoString(), v.LogValue().String()} {
		if got != redact.Mask {
			t.Errorf("got %s", got)
		}
	}
	if data, err := json.Marshal(exported{v}); err != nil || string(data) != `{"Value":"[redacted]"}` {
		t.Errorf("JSON: %s, %v", data, err)
	}
	if data, err := jsonv2.Marshal(exported{v}); err != nil || string(data) != `{"Value":"[redacted]"}` {
		t.Errorf("JSON v2: %s, %v", data, err)
	}
}

// Reflection sees a func, and no string or bytes beneath.
func TestReflectionFindsNoText(t *testing.T) {
	var walk func(reflect.Value, int)
	walk = func(v reflect.Value, depth int) {
		if depth > 10 {
			return
		}
		switch v.Kind() {
		case reflect.String:
			noLeak(t, "reflection", v.String())
		case reflect.Pointer, reflect.Interface:
			if !v.IsNil() {
				walk(v.Elem(), depth+1)
			}
		case reflect.Struct:
			for i := range v.NumField() {
				walk(v.Field(i), depth+1)
			}
		case reflect.Slice, reflect.Array:
			for i := range v.Len() {
				walk(v.Index(i), depth+1)
			}
		case reflect.Map:
			for _, k := range v.MapKeys() {
				walk(v.MapIndex(k), depth+1)
			}
		}
	}
	for _, value := range shapes() {
		walk(reflect.ValueOf(value), 0)
	}
}

// A secret enters through NewValue and nothing else; it can be no map key.
func TestAValueIsMadeOnPurpose(t *testing.T) {
	v := new(redact.Value)
	for _, method := range []string{"UnmarshalJSON", "UnmarshalJSONFrom", "UnmarshalText", "UnmarshalBinary", "GobDecode", "Scan", "Set", "UnmarshalYAML"} {
		if _, found := reflect.TypeOf(v).MethodByName(method); found {
			t.Errorf("a Value can be made by %s", method)
		}
	}
	if _, is := any(v).(encoding.TextUnmarshaler); is {
		t.Error("a Value is a TextUnmarshaler")
	}
	if reflect.TypeOf(*v).Comparable() {
		t.Error("Values can be compared with ==, in no constant time")
	}
	//lint:ignore SA9005 that nothing can be decoded into a Value is what is tested
	if err := json.Unmarshal([]byte(`"`+canary+`"`), v); err == nil || !v.IsZero() {
		t.Errorf("JSON made a value: %v", err)
	}
}

func TestValue(t *testing.T) {
	var zero redact.Value
	empty, v := redact.NewValue(""), redact.NewValue(canary)
	if v.Reveal() != canary || v.Len() != len(canary) || v.IsZero() {
		t.Error("a value does not give what it was made of")
	}
	if zero.Reveal() != "" || zero.Len() != 0 || !zero.IsZero() {
		t.Error("the zero value is not empty")
	}
	if empty.IsZero() || !empty.Equal(zero) {
		t.Error("an empty value is one that was set, and equals the zero value's plaintext")
	}
	if !v.Equal(redact.NewValue(canary)) || v.Equal(redact.NewValue(canary+"x")) || v.Equal(zero) {
		t.Error("Equal compares plaintexts")
	}
}
