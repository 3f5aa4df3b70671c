package watch

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// maxLine is the limit on one line of the outbox, in bytes.
const maxLine = 4 << 20

// outbox is the file of all alerts, one JSON object to a line.
type outbox struct {
	file *os.File
	out  *bufio.Writer
	size int64
	// known are the alerts behind the last committed state: written by a run
	// that did not come to its end.
	known map[string]bool
}

// openOutbox opens the file and cuts off what was being written when a run
// ended early. committed is its size at the last committed state; a file that
// is shorter was emptied by somebody, which is allowed between runs.
func openOutbox(name string, committed int64) (*outbox, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening the outbox: %w", err)
	}
	b := &outbox{file: f, known: map[string]bool{}}
	if err := b.recover(committed); err != nil {
		return nil, fmt.Errorf("reading the outbox %s: %w", name, errors.Join(err, f.Close()))
	}
	b.out = bufio.NewWriterSize(f, 256<<10)
	return b, nil
}

func (b *outbox) recover(committed int64) error {
	info, err := b.file.Stat()
	if err != nil {
		return err
	}
	b.size = committed
	if info.Size() < committed {
		b.size = 0
	}
	if _, err := b.file.Seek(b.size, io.SeekStart); err != nil {
		return err
	}
	r := bufio.NewReaderSize(b.file, 256<<10)
	for {
		line, err := r.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		var a struct {
			ID string `json:"id"`
		}
		if err != nil || json.Unmarshal(line, &a) != nil || a.ID == "" {
			break // the end, or a line that was not finished
		}
		b.known[a.ID] = true
		b.size += int64(len(line))
	}
	if err := b.file.Truncate(b.size); err != nil {
		return err
	}
	_, err = b.file.Seek(b.size, io.SeekStart)
	return err
}

// add appends an alert unless an earlier run that ended early did.
func (b *outbox) add(a *Alert) (bool, error) {
	if b.known[a.ID] {
		return false, nil
	}
	b.known[a.ID] = true
	var line bytes.Buffer
	e := json.NewEncoder(&line)
	e.SetEscapeHTML(false)
	if err := e.Encode(a); err != nil {
		return false, fmt.Errorf("writing an alert: %w", err)
	}
	n, err := b.out.Write(line.Bytes())
	b.size += int64(n)
	if err != nil {
		return false, fmt.Errorf("writing an alert: %w", err)
	}
	return true, nil
}

func (b *outbox) sync() error {
	err := b.out.Flush()
	if err == nil {
		err = b.file.Sync()
	}
	if err != nil {
		return fmt.Errorf("writing the outbox: %w", err)
	}
	return nil
}

// emit hands on what is behind the mark, and moves the mark after each alert.
func (b *outbox) emit(name string, f func(line []byte) error) (n int, err error) {
	mark, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return 0, fmt.Errorf("opening the mark of alerts that were handed on: %w", err)
	}
	defer func() { err = errors.Join(err, mark.Sync(), mark.Close()) }()
	at, err := readMark(mark)
	if err != nil {
		return 0, err
	}
	if at > b.size {
		at = 0 // the outbox was emptied
	}
	r := bufio.NewReaderSize(io.NewSectionReader(b.file, at, b.size-at), 256<<10)
	for {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err == nil && len(line) > maxLine {
			err = fmt.Errorf("a line of more than %d bytes", maxLine)
		}
		if err != nil {
			return n, fmt.Errorf("reading the outbox: %w", err)
		}
		if err := f(line); err != nil {
			return n, fmt.Errorf("handing on an alert: %w", err)
		}
		n++
		at += int64(len(line))
		if _, err := fmt.Fprintf(io.NewOffsetWriter(mark, 0), "%020d\n", at); err != nil {
			return n, fmt.Errorf("marking an alert as handed on: %w", err)
		}
	}
}

func readMark(f *os.File) (int64, error) {
	data, err := io.ReadAll(io.LimitReader(f, 64))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("reading the mark of alerts that were handed on: %w", err)
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
	if err != nil || n < 0 {
		return 0, nil //nolint:nilerr // cut short or altered: repeating is allowed, losing is not
	}
	return n, nil
}

// Close closes the file; what was not synced is given up.
func (b *outbox) Close() error { return b.file.Close() }
