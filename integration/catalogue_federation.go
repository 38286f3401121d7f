package integration

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// placeholder is a part of a text that something is put into.
var placeholder = lazily(`\{([a-z][a-z0-9_]*)\}`)

// part is what may be put into an address or an audience, whatever the pattern of
// a field lets through: nothing that ends a part of either.
var part = lazily(`^[A-Za-z0-9_-][A-Za-z0-9._@-]{0,252}$`)

// fits reports whether a text is one of the field's, and may stand in an address.
func (f Field) fits(text string) bool {
	return f.pattern != nil && !f.Sensitive && f.pattern.MatchString(text) && part().MatchString(text)
}

func noEscape(s string) string { return s }

// fill puts values in their places. It reports false where one is missing.
func fill(text string, values map[string]string, escape func(string) string) (string, bool) {
	complete := true
	out := placeholder().ReplaceAllStringFunc(text, func(found string) string {
		value, ok := values[found[1:len(found)-1]]
		complete = complete && ok
		return escape(value)
	})
	return out, complete
}

// names lists what a text has places for.
func names(text string) (out []string) {
	for _, found := range placeholder().FindAllStringSubmatch(text, -1) {
		out = append(out, found[1])
	}
	return out
}

type federationFile struct {
	Audience    string            `yaml:"audience"`
	Impersonate string            `yaml:"impersonate"`
	Setup       []stepFile        `yaml:"setup"`
	Upload      string            `yaml:"upload"`
	Refusals    map[string]string `yaml:"refusals"`
}

type stepFile struct {
	Label string `yaml:"label"`
	Text  string `yaml:"text"`
}

var refusalPattern = lazily(`^([a-z_]{1,64}|impersonate_[0-9]{3})$`)

// federation reads what a kind has of it.
func (k *Kind) federation(f federationFile, where network) error {
	k.audience, k.impersonate, k.upload, k.refusals = f.Audience, f.Impersonate, f.Upload, f.Refusals
	for _, step := range f.Setup {
		k.setup = append(k.setup, Step(step))
	}
	if k.Type != Federation {
		if f.Audience != "" || f.Impersonate != "" || f.Upload != "" || len(f.Setup) > 0 || len(f.Refusals) > 0 {
			return fmt.Errorf("audience, impersonate, setup, upload and refusals are for the type %s", Federation)
		}
		return nil
	}
	if k.lifetime == 0 {
		k.lifetime = time.Hour
	}
	field := func(key string) (Field, bool) {
		i := slices.IndexFunc(k.Fields, func(one Field) bool { return one.Key == key })
		if i < 0 {
			return Field{}, false
		}
		return k.Fields[i], true
	}
	for _, one := range k.Fields {
		if one.Sensitive || one.Long || one.pattern == nil {
			return fmt.Errorf("field %s: one of the type %s has a pattern, one line, and is no secret", one.Key, Federation)
		}
		if one.Default != "" && !one.fits(one.Default) {
			return fmt.Errorf("field %s: the default does not match its pattern", one.Key)
		}
	}
	if f.Audience == "" || len(k.Fields) == 0 {
		return fmt.Errorf("audience and fields are needed for the type %s", Federation)
	}
	for _, key := range names(f.Audience) {
		if one, ok := field(key); !ok || one.Optional {
			return fmt.Errorf("audience: {%s} is not a field that is always filled in", key)
		}
	}
	if f.Impersonate != "" {
		if strings.Contains(hostOf(f.Impersonate), "{") {
			return errors.New("impersonate: nothing is put into the name of a host")
		}
		example, _ := fill(f.Impersonate, nil, func(string) string { return "x" })
		if err := checkURL(example, where); err != nil {
			return fmt.Errorf("impersonate: %w", err)
		}
		for _, key := range names(f.Impersonate) {
			if _, ok := field(key); !ok {
				return fmt.Errorf("impersonate: {%s} is no field", key)
			}
		}
	}
	texts := map[string]string{"upload": f.Upload}
	for _, step := range f.Setup {
		texts["setup: "+step.Label] = step.Text
	}
	for _, where := range slices.Sorted(maps.Keys(texts)) {
		for _, key := range names(texts[where]) {
			if _, ok := field(key); !ok && key != "issuer" && key != "subject" && key != "audience" {
				return fmt.Errorf("%s: {%s} is no field, nor issuer, subject or audience", where, key)
			}
		}
	}
	for code, text := range f.Refusals {
		if !refusalPattern().MatchString(code) {
			return fmt.Errorf("refusals: %q is no code, nor impersonate_STATUS", code)
		}
		for _, key := range names(text) {
			if key != "issuer" && key != "subject" {
				return fmt.Errorf("refusals: {%s} is neither issuer nor subject", key)
			}
		}
	}
	return nil
}
