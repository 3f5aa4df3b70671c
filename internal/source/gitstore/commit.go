package gitstore

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Commit is the part of a commit that histories are walked by.
type Commit struct {
	ID      ID
	Tree    ID
	Parents []ID  // none if the clone cut them off
	Time    int64 // of the committer, seconds since 1970; 0 if unreadable
}

// CommitText is the part of a commit that people read. It comes from
// strangers; invalid UTF-8 is replaced.
type CommitText struct {
	Author  string // "Name <mail>"
	Date    string // of the author, RFC 3339; empty if unreadable
	Subject string // the first line of the message, at most 200 bytes
}

const maxParents = 1 << 16

// Commit reads a commit.
func (r *Repo) Commit(id ID) (*Commit, error) {
	data, err := r.typed(id, TypeCommit)
	if err != nil {
		return nil, err
	}
	c, err := parseCommit(data, r.format)
	if err != nil {
		return nil, fmt.Errorf("reading commit %s: %w", id, err)
	}
	c.ID = id
	if r.shallow[id] {
		c.Parents = nil
	}
	return c, nil
}

func parseCommit(data []byte, format Format) (*Commit, error) {
	c := &Commit{}
	var ok bool
	if c.Tree, data, ok = headerID(data, "tree ", format); !ok {
		return nil, fmt.Errorf("the commit does not begin with the id of a tree")
	}
	for {
		p, rest, ok := headerID(data, "parent ", format)
		if !ok {
			break
		}
		if len(c.Parents) == maxParents {
			return nil, fmt.Errorf("the commit has more than %d parents", maxParents)
		}
		c.Parents = append(c.Parents, p)
		data = rest
	}
	c.Time, _, _ = stamp(headerLine(data, "committer "))
	return c, nil
}

// headerID reads a line made of a key and an id.
func headerID(data []byte, key string, format Format) (ID, []byte, bool) {
	n := 2 * format.Size()
	if len(data) < len(key)+n+1 || string(data[:len(key)]) != key || data[len(key)+n] != '\n' {
		return ID{}, data, false
	}
	id, err := ParseID(string(data[len(key) : len(key)+n]))
	return id, data[len(key)+n+1:], err == nil
}

// headerLine returns the rest of the header line that begins with key.
func headerLine(data []byte, key string) []byte {
	for len(data) > 0 && data[0] != '\n' {
		line, rest, _ := bytes.Cut(data, []byte("\n"))
		if v, ok := bytes.CutPrefix(line, []byte(key)); ok {
			return v
		}
		data = rest
	}
	return nil
}

// stamp splits "Name <mail> 1700000000 +0100".
func stamp(line []byte) (unix int64, zone, who string) {
	i := bytes.LastIndexByte(line, '>')
	if i < 0 {
		return 0, "", string(line)
	}
	who = string(line[:i+1])
	f := strings.Fields(string(line[i+1:]))
	if len(f) > 0 {
		unix, _ = strconv.ParseInt(f[0], 10, 64)
	}
	if len(f) > 1 {
		zone = f[1]
	}
	return unix, zone, who
}

// CommitText reads what people want to know of a commit.
func (r *Repo) CommitText(id ID) (CommitText, error) {
	data, err := r.typed(id, TypeCommit)
	if err != nil {
		return CommitText{}, err
	}
	return parseCommitText(data), nil
}

func parseCommitText(data []byte) CommitText {
	unix, zone, who := stamp(headerLine(data, "author "))
	t := CommitText{Author: clean(who), Date: date(unix, zone)}
	if _, body, ok := bytes.Cut(data, []byte("\n\n")); ok {
		line, _, _ := bytes.Cut(bytes.TrimLeft(body, "\n"), []byte("\n"))
		t.Subject = clean(string(line))
	}
	return t
}

func clean(s string) string {
	if len(s) > 200 {
		s = s[:200]
	}
	return strings.ToValidUTF8(strings.TrimSpace(s), "\uFFFD")
}

func date(unix int64, zone string) string {
	if unix <= 0 || unix > 253402300799 { // the end of the year 9999
		return ""
	}
	offset := 0
	if n, err := strconv.Atoi(zone); err == nil && len(zone) == 5 && n > -2400 && n < 2400 {
		offset = (n/100)*3600 + (n%100)*60
	}
	return time.Unix(unix, 0).In(time.FixedZone("", offset)).Format(time.RFC3339)
}

// Peel follows annotated tags to what they name.
func (r *Repo) Peel(id ID) (ID, Type, error) {
	for range maxSymbolicDepth {
		typ, data, err := r.Object(id)
		if err != nil || typ != TypeTag {
			return id, typ, err
		}
		next, _, ok := headerID(data, "object ", r.format)
		if !ok {
			return id, 0, fmt.Errorf("reading tag %s: it does not begin with the id of an object", id)
		}
		id = next
	}
	return id, 0, fmt.Errorf("reading tag %s: more than %d tags name one another", id, maxSymbolicDepth)
}
