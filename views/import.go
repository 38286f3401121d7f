package views

// ImportForm is the page on which a .env file is imported. It holds nothing of
// the file: what was chosen or pasted stays in the browser.
type ImportForm struct {
	CanEdit bool
	// MaxKeys is how many secrets a file may set.
	MaxKeys    int
	Overwrite  bool        // the box was ticked
	AllowRisky bool        // the box was ticked
	Errors     FieldErrors // of the form as a whole
	Preview    *ImportPreview
}

// ImportPreview says what an import would do, line by line, without any value.
type ImportPreview struct {
	Lines                                   []ImportLine
	New, Changed, Unchanged, Exist, Refused int
	// Tried says that it was to be done, and that nothing was.
	Tried bool
}

// ImportLine is one line of the file. Key is empty where the line gives no name.
type ImportLine struct {
	Line   int
	Key    string
	Status ImportStatus
	Detail string
}

// ImportStatus is what would happen with a line.
type ImportStatus string

// The statuses, as the API names them.
const (
	ImportNew       ImportStatus = "new"
	ImportChanged   ImportStatus = "changed"
	ImportUnchanged ImportStatus = "unchanged"
	ImportExists    ImportStatus = "exists"
	ImportRefused   ImportStatus = "refused"
)

// Count counts the lines.
func (v *ImportPreview) Count() {
	of := map[ImportStatus]int{}
	for _, l := range v.Lines {
		of[l.Status]++
	}
	v.New, v.Changed, v.Unchanged, v.Exist, v.Refused = of[ImportNew], of[ImportChanged], of[ImportUnchanged], of[ImportExists], of[ImportRefused]
}

// writes is how many secrets would be written.
func (v ImportPreview) writes() int { return v.New + v.Changed }

// ready says that the import can be done, and does something.
func (v ImportPreview) ready() bool { return v.Refused == 0 && v.Exist == 0 && v.writes() > 0 }

func (v ImportPreview) sum() string {
	text := ""
	for _, part := range []struct {
		n    int
		word string
	}{{v.New, "new"}, {v.Changed, "changed"}, {v.Exist, "set to another value"}, {v.Unchanged, "equal"}, {v.Refused, "refused"}} {
		if part.n > 0 {
			if text != "" {
				text += ", "
			}
			text += thousands(part.n) + " " + part.word
		}
	}
	return text
}
