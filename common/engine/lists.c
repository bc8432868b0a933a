/* lists.c - calls by due, connections by age or use. */
#include "common/engine/engine_parts.h"

void call_list_remove(struct call_list *l, struct engine_call *call)
{
	if (call->prev)
		call->prev->next = call->next;
	else
		l->first = call->next;
	if (call->next)
		call->next->prev = call->prev;
	else
		l->last = call->prev;
	l->count--;
}

void call_list_insert(struct call_list *l, struct engine_call *call)
{
	struct engine_call *before = l->last; /* nearly always its place */

	while (before && mono_is_before(call->due, before->due))
		before = before->prev;
	call->prev = before;
	call->next = before ? before->next : l->first;
	if (call->next)
		call->next->prev = call;
	else
		l->last = call;
	if (before)
		before->next = call;
	else
		l->first = call;
	l->count++;
}

void conn_list_prepend(struct conn_list *l, struct engine_conn *c)
{
	c->prev = NULL;
	c->next = l->first;
	if (l->first)
		l->first->prev = c;
	else
		l->last = c;
	l->first = c;
	l->count++;
}

void conn_list_append(struct conn_list *l, struct engine_conn *c)
{
	c->next = NULL;
	c->prev = l->last;
	if (l->last)
		l->last->next = c;
	else
		l->first = c;
	l->last = c;
	l->count++;
}

void conn_list_remove(struct conn_list *l, struct engine_conn *c)
{
	if (c->prev)
		c->prev->next = c->next;
	else
		l->first = c->next;
	if (c->next)
		c->next->prev = c->prev;
	else
		l->last = c->prev;
	l->count--;
}
