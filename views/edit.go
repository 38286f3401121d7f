package views

// TeamsEditForm is the page on which keys of several teams are set as text. It holds
// names of keys, and nothing of what was typed.
type TeamsEditForm struct {
	Choices []GridChoice
	// Text is what the text begins with: keys without values.
	Text string
	// MaxValues is how many values are set at once.
	MaxValues  int
	AllowRisky bool        // the box was ticked
	Errors     FieldErrors // of the form as a whole
	Preview    *EditPreview
}

// EditPreview says what the text would do in each team, line by line.
type EditPreview struct {
	Teams []EditedTeam
	// Wrong are lines that can't go to a team.
	Wrong []ImportLine
	// Left counts the lines without a value.
	Left int
	// Stale tells that it is not what was seen before, so that nothing was written.
	Stale bool
	// Seen names what is there now.
	Seen string
	All  ImportPreview
}

// EditedTeam is what would become of each line in one team.
type EditedTeam struct {
	Label string
	Lines []ImportLine
}

// Count counts the lines of all teams.
func (v *EditPreview) Count() {
	for _, t := range v.Teams {
		v.All.Lines = append(v.All.Lines, t.Lines...)
	}
	v.All.Lines = append(v.All.Lines, v.Wrong...)
	v.All.Count()
}

func (v EditPreview) sum() string {
	text := v.All.sum()
	if v.Left > 0 {
		if text != "" {
			text += ", "
		}
		text += counted(v.Left, "line") + " without a value"
	}
	if v.Stale {
		text = "Not what you looked at. " + text
	}
	return text
}

func (v EditPreview) ready() bool { return v.All.ready() }

func editTitle(v EditPreview) string {
	switch {
	case v.Stale:
		return "Look again before it is saved"
	case v.All.Tried:
		return "Nothing was written"
	}
	return "What would change"
}

// lineSum counts the lines of one team.
func (t EditedTeam) sum() string {
	p := ImportPreview{Lines: t.Lines}
	p.Count()
	return p.sum()
}
