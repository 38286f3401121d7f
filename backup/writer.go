package backup

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Writer writes a backup. It holds one row at a time.
type Writer struct {
	zip    *gzip.Writer
	out    *bufio.Writer
	digest hash.Hash
	store  Store
	table  Table
	counts Counts
	line   []byte
}

// NewWriter writes the header, whose format and version it sets.
func NewWriter(w io.Writer, h Header) (*Writer, error) {
	// Most of a backup is ciphertext, which no level compresses beyond what
	// base64 added.
	zip, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	out := &Writer{zip: zip, out: bufio.NewWriterSize(zip, 64<<10), digest: sha256.New(), store: h.Store, counts: Counts{}}
	h.Format, h.Version = Format, FormatVersion
	return out, out.object(h)
}

// Table begins the rows of a table. A table comes once.
func (w *Writer) Table(t Table) error {
	if _, twice := w.counts[t.Name]; twice {
		return fmt.Errorf("table %s comes twice", t.Name)
	}
	w.table, w.counts[t.Name] = t, 0
	return w.object(t)
}

// Row writes a row of the table that was begun last: nil, int64, string or
// []byte for each column.
func (w *Writer) Row(values []any) error {
	if len(values) != len(w.table.Columns) {
		return fmt.Errorf("table %s: a row has %d values for %d columns", w.table.Name, len(values), len(w.table.Columns))
	}
	line := append(w.line[:0], '[')
	for i, v := range values {
		if i > 0 {
			line = append(line, ',')
		}
		var err error
		if line, err = appendValue(line, w.table.Columns[i].Type, v); err != nil {
			return fmt.Errorf("table %s, column %s: %w", w.table.Name, w.table.Columns[i].Name, err)
		}
	}
	w.line = append(line, ']', '\n')
	w.counts[w.table.Name]++
	return w.write(w.line)
}

func appendValue(line []byte, t Type, value any) ([]byte, error) {
	if value == nil {
		return append(line, "null"...), nil
	}
	switch v := value.(type) {
	case int64:
		if t == Integer {
			return strconv.AppendInt(line, v, 10), nil
		}
	case string:
		if t == Text {
			return appendText(line, v)
		}
	case []byte:
		// Some drivers give text as bytes.
		switch t {
		case Text:
			return appendText(line, string(v))
		case Bytes:
			return appendBase64(line, v), nil
		case Integer:
		}
	}
	return nil, fmt.Errorf("it holds a %T and should be of type %s", value, t)
}

// appendText keeps what isn't UTF-8 as it is, which JSON alone can't: SQLite
// stores it, and one odd row must not make backups impossible.
func appendText(line []byte, s string) ([]byte, error) {
	if utf8.ValidString(s) {
		return jsontext.AppendQuote(line, s)
	}
	line = append(line, `{"base64":`...)
	return append(appendBase64(line, []byte(s)), '}'), nil
}

func appendBase64(line, b []byte) []byte {
	line = append(line, '"')
	line = base64.StdEncoding.AppendEncode(line, b)
	return append(line, '"')
}

// Close writes the last line, with the digest sealed by the KEK, and returns
// the counts. It does not close the writer beneath. A backup that was not
// closed is not complete, and is refused when it is restored.
func (w *Writer) Close(kek Sealer) (Counts, error) {
	digest := w.digest.Sum(nil)
	seal, err := kek.SealBackup(w.store.ID, digest)
	if err != nil {
		return nil, fmt.Errorf("seal the backup: %w", err)
	}
	if err := w.object(trailer{end{Rows: w.counts, SHA256: digest, Seal: seal}}); err != nil {
		return nil, err
	}
	return w.counts, errors.Join(w.out.Flush(), w.zip.Close())
}

func (w *Writer) object(v any) error {
	line, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return err
	}
	return w.write(append(line, '\n'))
}

func (w *Writer) write(line []byte) error {
	if len(line) > MaxLine {
		return fmt.Errorf("table %s: a row of %d bytes is longer than a backup can hold (%d)", w.table.Name, len(line), MaxLine)
	}
	_, _ = w.digest.Write(line) // A hash never fails.
	_, err := w.out.Write(line)
	return err
}
