package handlers

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"infsh/auth"
	"infsh/envvar"
	"infsh/problem"
	"infsh/secret"
	"infsh/team"
	"infsh/views"
)

func (s *server) importPage(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	p, err := s.chrome(w, r, session)
	if err != nil {
		return err
	}
	p.Path = settingsHome
	s.render(w, r, http.StatusOK, views.ImportPage(p, importForm(r, session)))
	return nil
}

func importForm(r *http.Request, session auth.Session) views.ImportForm {
	return views.ImportForm{
		CanEdit: session.Actor.Can(team.SetSecret), MaxKeys: secret.MaxImport, Errors: views.FieldErrors{},
		Overwrite: ticked(r, "overwrite"), AllowRisky: ticked(r, "allow_risky_name"),
	}
}

// importSecretsForm says what an import would do, or does it. Either way the
// file comes with the form, and is kept nowhere.
func (s *server) importSecretsForm(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	form := importForm(r, session)
	tried := r.PostForm.Get("act") == "import"
	text := r.PostForm.Get("value")
	if file := r.PostForm.Get("file"); file != "" {
		if strings.TrimSpace(text) != "" {
			form.Errors[""] = "There is a file and a text. Remove one of them."
			return s.showImport(w, r, session, form, http.StatusUnprocessableEntity)
		}
		text = file
	}
	if !tried && strings.TrimSpace(text) == "" {
		return s.showImport(w, r, session, form, http.StatusOK) // Nothing was chosen yet.
	}
	pairs, wrong, err := lookAt(text, envvar.LookAtDotenv)
	if err != nil {
		return err
	}
	in := secret.Import{Overwrite: form.Overwrite, AllowRiskyName: form.AllowRisky, DryRun: !tried || len(wrong) > 0}
	for _, p := range pairs {
		in.Items = append(in.Items, secret.ImportItem{Key: string(p.Key), Value: p.Value})
	}
	var results []secret.ImportResult
	var written bool
	if len(pairs) > 0 || len(wrong) == 0 {
		results, written, err = s.Secrets.Import(r.Context(), session.Actor, in)
	}
	if problem.CodeOf(err) == problem.InvalidField {
		form.Errors[""] = sentence(strings.TrimPrefix(err.Error(), "items: "))
		return s.showImport(w, r, session, form, http.StatusUnprocessableEntity)
	}
	if err != nil {
		return err
	}
	preview := &views.ImportPreview{Tried: tried, Lines: append(importLines(pairs, results), wrongLines(wrong)...)}
	slices.SortStableFunc(preview.Lines, func(a, b views.ImportLine) int { return cmp.Compare(a.Line, b.Line) })
	preview.Count()
	if written {
		s.leaveFlash(w, flash{kind: flashImported, subject: importedSubject(*preview)})
		redirect(w, r, settingsHome)
		return nil
	}
	form.Preview = preview
	status := http.StatusOK
	if tried {
		status = http.StatusUnprocessableEntity
	}
	return s.showImport(w, r, session, form, status)
}

// lookAt reads lines of KEY=value. A text that can't be read is one that is wrong.
func lookAt(text string, look func(io.Reader) ([]envvar.Pair, []*envvar.DotenvError, error)) ([]envvar.Pair, []*envvar.DotenvError, error) {
	pairs, wrong, err := look(strings.NewReader(text))
	var unreadable *envvar.DotenvError
	if errors.As(err, &unreadable) {
		return nil, []*envvar.DotenvError{unreadable}, nil
	}
	return pairs, wrong, err
}

// importLines tells of each line what would become of it.
func importLines(pairs []envvar.Pair, results []secret.ImportResult) (lines []views.ImportLine) {
	for i, res := range results {
		line := views.ImportLine{Line: pairs[i].Line, Key: res.Key, Status: views.ImportStatus(res.Status)}
		if res.Status == secret.ImportRefused {
			line.Detail = sentence(strings.TrimPrefix(strings.TrimPrefix(res.Detail, "key: "), "value: "))
		}
		lines = append(lines, line)
	}
	return lines
}

// wrongLines tells what is wrong with lines that give no value.
func wrongLines(wrong []*envvar.DotenvError) (lines []views.ImportLine) {
	for _, e := range wrong {
		lines = append(lines, views.ImportLine{Line: e.Line, Status: views.ImportRefused, Detail: sentence(e.Msg)})
	}
	return lines
}

func (s *server) showImport(w http.ResponseWriter, r *http.Request, session auth.Session, form views.ImportForm, status int) error {
	if wants(r, "import-preview") {
		s.render(w, r, status, views.ImportPreviewView(form))
		return nil
	}
	p, err := s.chrome(w, r, session)
	if err != nil {
		return err
	}
	p.Path = settingsHome
	s.render(w, r, status, views.ImportPage(p, form))
	return nil
}

func importedSubject(p views.ImportPreview) string {
	secrets := func(n int) string {
		if n == 1 {
			return "1 secret"
		}
		return fmt.Sprintf("%d secrets", n)
	}
	text := secrets(p.New) + " added"
	if p.Changed > 0 {
		text += ", " + secrets(p.Changed) + " changed"
	}
	if p.Unchanged > 0 {
		text += ", " + secrets(p.Unchanged) + " equal already"
	}
	return text
}
