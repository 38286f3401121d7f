package auth_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"infsh/auth"
)

var tokenPattern = regexp.MustCompile(`^infsh_[0-9A-Za-z]{49}$`)

func TestToken(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		token := auth.NewToken()
		text := token.Value().Reveal()
		if !tokenPattern.MatchString(text) || seen[text] {
			t.Fatalf("not a new token of the published form: %q", text)
		}
		seen[text] = true
		if again, err := auth.ParseToken(text); err != nil || !again.Value().Equal(token.Value()) {
			t.Fatalf("its own token is refused: %v", err)
		}
		if printed := fmt.Sprintf("%v %+v %#v", token, token, token); strings.Contains(printed, text) {
			t.Fatal("a token prints itself")
		}
	}
	good := auth.NewToken().Value().Reveal()
	swapped := []byte(good)
	swapped[10] = map[bool]byte{true: 'A', false: 'B'}[swapped[10] != 'A']
	for _, bad := range []string{"", "infsh_", good[:54], good + "x", " " + good, good + "\n", strings.ToUpper(good), strings.Replace(good, "infsh_", "infsh-", 1), string(swapped), strings.Replace(good, good[20:21], "é", 1)} {
		if _, err := auth.ParseToken(bad); err == nil {
			t.Errorf("accepted %q", bad)
		} else if bad != "" && strings.Contains(err.Error(), strings.TrimSpace(bad)) {
			t.Errorf("the error repeats what was given: %v", err)
		}
	}
}

func FuzzParseToken(f *testing.F) {
	f.Add(auth.NewToken().Value().Reveal())
	f.Add("infsh_")
	f.Add("infsh_" + strings.Repeat("0", 49))
	f.Add(strings.Repeat("\xff", 55))
	f.Fuzz(func(t *testing.T, s string) {
		token, err := auth.ParseToken(s)
		if err == nil && (!tokenPattern.MatchString(s) || token.Value().Reveal() != s) {
			t.Errorf("accepted %q", s)
		}
	})
}

func TestUserCode(t *testing.T) {
	for _, s := range []string{"BCDFGHJK", "BCDF-GHJK", "bcdf-ghjk", " bcdf ghjk ", "B-C-D-F-G-H-J-K"} {
		if code, err := auth.ParseUserCode(s); err != nil || code != "BCDFGHJK" || code.String() != "BCDF-GHJK" {
			t.Errorf("%q is %q, %v", s, code, err)
		}
	}
	for _, s := range []string{"", "BCDF-GHJ", "BCDF-GHJKL", "ACDF-GHJK", "BCDF-GHJ1", "BCDF–GHJK", "ＢCDFGHJK", "BCDF\u00a0GHJK", "BCDFGHJK\x00", strings.Repeat(" ", 1<<20)} {
		if code, err := auth.ParseUserCode(s); err == nil {
			t.Errorf("%.20q is taken as %s", s, code)
		}
	}
	for range 1000 {
		code := auth.NewUserCode()
		if again, err := auth.ParseUserCode(strings.ToLower(code.String())); err != nil || again != code {
			t.Fatalf("%s is read as %s, %v", code, again, err)
		}
	}
}

func FuzzParseUserCode(f *testing.F) {
	for _, seed := range []string{"BCDF-GHJK", "bcdfghjk", "B C D F G H J K", "----------", "BCDF–GHJK"} {
		f.Add(seed)
	}
	form := regexp.MustCompile(`^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$`)
	f.Fuzz(func(t *testing.T, s string) {
		code, err := auth.ParseUserCode(s)
		if err != nil {
			return
		}
		if !form.MatchString(code.String()) {
			t.Errorf("%q became %q", s, code)
		}
		if again, err := auth.ParseUserCode(code.String()); err != nil || again != code {
			t.Errorf("%q is not the one spelling of itself", code)
		}
	})
}
