package backup

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Reader reads a backup. It holds one row at a time.
type Reader struct {
	Header Header

	source *bufio.Reader
	lines  *bufio.Reader
	digest hash.Hash
	table  Table
	counts Counts
	buffer []byte
	end    *end
}

// NewReader reads the header. The error is ErrNotABackup, ErrTooNew or
// ErrDamaged, or the reader's own.
func NewReader(r io.Reader) (*Reader, error) {
	// gzip reads no further than its own end from a reader of single bytes, so
	// that bytes after it are found.
	source := bufio.NewReaderSize(r, 64<<10)
	zip, err := gzip.NewReader(source)
	if err != nil {
		return nil, notRead(err, ErrNotABackup)
	}
	zip.Multistream(false)
	out := &Reader{source: source, lines: bufio.NewReaderSize(zip, 64<<10), digest: sha256.New(), counts: Counts{}}
	line, err := out.line()
	if err != nil {
		return nil, notRead(err, ErrNotABackup)
	}
	// What kind of file it is comes first, before anything that a newer
	// version may have changed.
	var kind struct {
		Format  string `json:"format"`
		Version int    `json:"version"`
	}
	if err := json.Unmarshal(line, &kind); err != nil || kind.Format != Format || kind.Version < 1 {
		return nil, ErrNotABackup
	}
	if kind.Version > FormatVersion {
		return nil, ErrTooNew
	}
	if err := strict(line, &out.Header); err != nil {
		return nil, damaged("the first line is not as it should be")
	}
	_, _ = out.digest.Write(line)
	return out, nil
}

// Next returns the next row, with nil, int64, string or []byte for each column
// of its Table, and io.EOF after the last one of a file whose digest and
// counts are right. Rows read before that may be wrong.
func (r *Reader) Next() (Table, []any, error) {
	line, err := r.next()
	if err != nil {
		return Table{}, nil, err
	}
	row, err := parseRow(line, r.table)
	return r.table, row, err
}

// next returns the next row's line, and io.EOF after the last one.
func (r *Reader) next() ([]byte, error) {
	for r.end == nil {
		line, err := r.line()
		if err != nil {
			return nil, notRead(err, ErrDamaged)
		}
		if line[0] == '[' {
			if r.table.Name == "" {
				return nil, damaged("a row belongs to no table")
			}
			r.counts[r.table.Name]++
			_, _ = r.digest.Write(line)
			return line, nil
		}
		if bytes.HasPrefix(line, []byte(`{"end":`)) {
			return nil, r.finish(line)
		}
		if err := r.begin(line); err != nil {
			return nil, err
		}
		_, _ = r.digest.Write(line)
	}
	return nil, io.EOF
}

func (r *Reader) begin(line []byte) error {
	var t Table
	if err := strict(line, &t); err != nil || t.Name == "" || len(t.Columns) == 0 {
		return damaged("a line is neither a row nor a table")
	}
	for _, c := range t.Columns {
		if c.Type != Text && c.Type != Integer && c.Type != Bytes {
			return damaged("a column has an unknown type")
		}
	}
	if _, twice := r.counts[t.Name]; twice {
		return damaged("a table comes twice")
	}
	if len(r.counts) == MaxTables {
		return damaged("it has too many tables")
	}
	r.table, r.counts[t.Name] = t, 0
	return nil
}

// finish checks the last line, and that nothing follows. It returns io.EOF.
func (r *Reader) finish(line []byte) error {
	var t trailer
	if err := strict(line, &t); err != nil {
		return damaged("the last line is not as it should be")
	}
	if _, err := r.lines.ReadByte(); !errors.Is(err, io.EOF) {
		return damaged("something follows the last line")
	}
	if _, err := r.source.ReadByte(); !errors.Is(err, io.EOF) {
		return damaged("something follows the end")
	}
	if subtle.ConstantTimeCompare(t.End.SHA256, r.digest.Sum(nil)) != 1 {
		return damaged("its digest is not the one that its last line names")
	}
	if !maps.Equal(t.End.Rows, r.counts) {
		return damaged("its rows are not as many as its last line says")
	}
	r.end = &t.End
	return io.EOF
}

// line reads a line with its line feed, of at most MaxLine bytes. It is valid
// until the next call.
func (r *Reader) line() ([]byte, error) {
	r.buffer = r.buffer[:0]
	for {
		part, err := r.lines.ReadSlice('\n')
		r.buffer = append(r.buffer, part...)
		switch {
		case len(r.buffer) > MaxLine:
			return nil, damaged("a line is too long")
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF):
			return nil, damaged("it ends too early")
		case err != nil:
			return nil, err
		default:
			return r.buffer, nil
		}
	}
}

func parseRow(line []byte, t Table) ([]any, error) {
	var fields []jsontext.Value
	if err := strict(line, &fields); err != nil || len(fields) != len(t.Columns) {
		return nil, damaged("a row of table " + t.Name + " has not the columns of its table")
	}
	row := make([]any, len(fields))
	for i, c := range t.Columns {
		v, err := parseValue(fields[i], c.Type)
		if err != nil {
			return nil, damaged("table " + t.Name + ", column " + c.Name + " has a value of another type")
		}
		row[i] = v
	}
	return row, nil
}

var errOtherType = errors.New("value of another type")

func parseValue(field jsontext.Value, t Type) (any, error) {
	kind := field.Kind()
	switch {
	case kind == 'n':
		return nil, nil
	case t == Integer && kind == '0':
		var n int64
		err := json.Unmarshal(field, &n)
		return n, err
	case t == Bytes && kind == '"':
		b := []byte{}
		err := json.Unmarshal(field, &b)
		return b, err
	case t == Text && kind == '"':
		var s string
		err := json.Unmarshal(field, &s)
		return s, err
	case t == Text && kind == '{':
		var odd struct {
			Base64 []byte `json:"base64"`
		}
		err := strict(field, &odd)
		return string(odd.Base64), err
	}
	return nil, errOtherType
}

func strict(line []byte, into any) error {
	return json.Unmarshal(line, into, json.RejectUnknownMembers(true))
}

func damaged(how string) error { return fmt.Errorf("%w (%s)", ErrDamaged, how) }

// notRead makes errors of decompression the one that a person understands, and
// leaves those of reading the file, such as a disk's, as they are.
func notRead(err, otherwise error) error {
	switch {
	case errors.Is(err, ErrDamaged):
		return err
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum):
		return otherwise
	}
	var corrupt flate.CorruptInputError
	if errors.As(err, &corrupt) {
		return otherwise
	}
	return err
}
