//! What a program may not do although VRL would compile it: call [refused](super::refused) functions, repeat text as often
//! as an event says, and write far behind the end of an array. Found in the parsed program, before it is compiled.

use std::collections::HashSet;

use vrl::parser::ast::{
    Assignment, AssignmentTarget, Block, Container, Expr, FunctionArgument, FunctionCall, IfStatement,
    Literal, Node, Opcode, Predicate, Query, QueryTarget, RootExpr, Unary,
};
use vrl::parser::{Program, Span};
use vrl::path::{OwnedSegment, OwnedValuePath};

use super::refused::refusal;
use crate::pipeline::template::SyntaxError;

/// The largest index that a program may write to: what is missing before it is filled up.
pub(super) const MAX_INDEX: usize = 1000;

/// Functions whose result is a number, whatever they are given.
const NUMBERS: [&str; 18] = [
    "abs",
    "ceil",
    "float",
    "floor",
    "int",
    "ip_aton",
    "length",
    "mod",
    "parse_bytes",
    "parse_duration",
    "parse_float",
    "parse_int",
    "round",
    "shannon_entropy",
    "strlen",
    "to_float",
    "to_int",
    "to_unix_timestamp",
];

/// Parameters whose text may come into a result as often as another text has parts: by function, place and name.
const REPEATED: [(&str, usize, &str); 2] = [("replace", 2, "with"), ("join", 1, "separator")];

/// All that is wrong with a program.
pub(super) fn check(program: Program) -> Vec<SyntaxError> {
    let mut check = Check::default();
    for root in program {
        if let RootExpr::Expr(expression) = root.into_inner() {
            check.expression(expression);
        }
    }
    check.products();
    check.mistakes.sort_by_key(|mistake| mistake.at.start);
    check.mistakes
}

#[derive(Default)]
struct Check {
    mistakes: Vec<SyntaxError>,
    /// Each assignment of a variable.
    assigned: Vec<(String, Expr)>,
    /// Variables that may hold something else than a number.
    others: HashSet<String>,
    /// The places and the sides of all multiplications.
    products: Vec<(Span, Expr, Expr)>,
}

impl Check {
    fn expression(&mut self, node: Node<Expr>) {
        let span = node.span();
        match node.into_inner() {
            Expr::Literal(_) | Expr::Variable(_) | Expr::Break(_) => {}
            Expr::Container(container) => self.container(container.into_inner()),
            Expr::IfStatement(statement) => {
                let IfStatement { predicate, if_node, else_node } = statement.into_inner();
                match predicate.into_inner() {
                    Predicate::One(one) => self.expression(*one),
                    Predicate::Many(many) => many.into_iter().for_each(|one| self.expression(one)),
                }
                self.block(if_node.into_inner());
                if let Some(block) = else_node {
                    self.block(block.into_inner());
                }
            }
            Expr::Op(operation) => {
                let operation = operation.into_inner();
                if *operation.1 == Opcode::Mul {
                    let sides = (operation.0.inner().clone(), operation.2.inner().clone());
                    self.products.push((span, sides.0, sides.1));
                }
                self.expression(*operation.0);
                self.expression(*operation.2);
            }
            Expr::Assignment(assignment) => match assignment.into_inner() {
                Assignment::Single { target, expr, .. } => {
                    self.target(target, Some(&expr));
                    self.expression(*expr);
                }
                Assignment::Infallible { ok, err, expr, .. } => {
                    self.target(ok, Some(&expr));
                    self.target(err, None);
                    self.expression(*expr);
                }
            },
            Expr::Query(query) => self.query(query.into_inner()),
            Expr::FunctionCall(call) => self.call(call.into_inner()),
            Expr::Unary(unary) => {
                let Unary::Not(not) = unary.into_inner();
                self.expression(*not.into_inner().take().1);
            }
            Expr::Abort(abort) => {
                if let Some(message) = abort.into_inner().message {
                    self.expression(*message);
                }
            }
            Expr::Return(value) => self.expression(*value.into_inner().expr),
        }
    }

    fn container(&mut self, container: Container) {
        match container {
            Container::Group(group) => self.expression(group.into_inner().into_inner()),
            Container::Block(block) => self.block(block.into_inner()),
            Container::Array(array) => {
                array.into_inner().into_iter().for_each(|value| self.expression(value))
            }
            Container::Object(object) => {
                object.into_inner().into_iter().for_each(|(_, value)| self.expression(value));
            }
        }
    }

    fn block(&mut self, block: Block) {
        block.into_iter().for_each(|expression| self.expression(expression));
    }

    fn query(&mut self, query: Query) {
        match query.target.into_inner() {
            QueryTarget::FunctionCall(call) => self.call(call),
            QueryTarget::Container(container) => self.container(container),
            QueryTarget::Internal(_) | QueryTarget::External(_) => {}
        }
    }

    fn call(&mut self, call: FunctionCall) {
        if let Some(message) = refusal(call.ident.as_ref()) {
            self.mistakes.push(SyntaxError { at: call.ident.span().range(), message });
        }
        for (function, place, name) in REPEATED {
            let is_meant = |(at, argument): &(usize, &Node<FunctionArgument>)| match &argument.ident {
                Some(keyword) => ***keyword == *name,
                None => *at == place,
            };
            if **call.ident == *function
                && let Some((_, argument)) = call.arguments.iter().enumerate().find(is_meant)
                && !is_written_out(&argument.expr)
            {
                let message = format!(
                    "`{function}` could repeat a text of the event as often as another one says: write `{name}` out as text"
                );
                self.mistakes.push(SyntaxError { at: argument.span().range(), message });
            }
        }
        for argument in call.arguments {
            self.expression(argument.into_inner().expr);
        }
        if let Some(closure) = call.closure {
            let closure = closure.into_inner();
            self.others.extend(closure.variables.into_iter().map(|name| name.into_inner().into_inner()));
            self.block(closure.block.into_inner());
        }
    }

    /// What is written to, and what is written if that is known.
    fn target(&mut self, target: Node<AssignmentTarget>, value: Option<&Node<Expr>>) {
        let span = target.span();
        match target.into_inner() {
            AssignmentTarget::Noop => {}
            AssignmentTarget::Query(query) => {
                self.path(span, &query.path);
                if let QueryTarget::Internal(name) = query.target.inner() {
                    self.others.insert(name.to_string());
                }
                self.query(query);
            }
            AssignmentTarget::External(path) => {
                if let Some(path) = path {
                    self.path(span, &path.path);
                }
            }
            AssignmentTarget::Internal(name, path) => match (path, value) {
                (None, Some(value)) => self.assigned.push((name.into_inner(), value.inner().clone())),
                (path, _) => {
                    self.others.insert(name.into_inner());
                    if let Some(path) = path {
                        self.path(span, &path);
                    }
                }
            },
        }
    }

    fn path(&mut self, span: Span, path: &OwnedValuePath) {
        let is_far = |segment: &OwnedSegment| matches!(segment, OwnedSegment::Index(at) if at.unsigned_abs() > MAX_INDEX);
        if path.segments.iter().any(is_far) {
            let message = format!(
                "an index to write to is at most {MAX_INDEX}: what is missing before it is filled up"
            );
            self.mistakes.push(SyntaxError { at: span.range(), message });
        }
    }

    /// Refuses multiplications that could be of text: `.count * .unit` repeats text as often as the sender likes.
    fn products(&mut self) {
        // Variables are numbers until an assignment says otherwise.
        let mut others = std::mem::take(&mut self.others);
        while let Some((name, _)) =
            (self.assigned.iter()).find(|(name, value)| !others.contains(name) && !is_number(value, &others))
        {
            others.insert(name.clone());
        }
        for (span, left, right) in &self.products {
            if !is_number(left, &others) || !is_number(right, &others) {
                let message = "could repeat text as often as an event says: say that both sides are numbers, as in \
                               `int!(.count) * int!(.size)` or `(to_float(.price) ?? 0.0) * 1.2`";
                self.mistakes.push(SyntaxError { at: span.range(), message: message.to_owned() });
            }
        }
    }
}

/// Whether an expression is text without anything of the event in it.
fn is_written_out(expression: &Expr) -> bool {
    let Expr::Literal(literal) = expression else { return false };
    match literal.inner() {
        Literal::RawString(_) => true,
        Literal::String(template) => template.as_literal_string().is_some(),
        _ => false,
    }
}

/// Whether an expression can be nothing but a number; variables are unless they are among the `others`.
fn is_number(expression: &Expr, others: &HashSet<String>) -> bool {
    let all = |sides: [&Expr; 2]| sides.into_iter().all(|side| is_number(side, others));
    let last = |block: &Block| block.0.last().is_some_and(|last| is_number(last, others));
    match expression {
        Expr::Literal(literal) => matches!(literal.inner(), Literal::Integer(_) | Literal::Float(_)),
        Expr::Container(container) => match container.inner() {
            Container::Group(group) => is_number(&group.0, others),
            Container::Block(block) => last(block),
            Container::Array(_) | Container::Object(_) => false,
        },
        Expr::IfStatement(statement) => {
            last(&statement.if_node) && statement.else_node.as_deref().is_some_and(last)
        }
        Expr::Op(operation) => match *operation.1 {
            Opcode::Sub | Opcode::Div => true,
            Opcode::Mul | Opcode::Add | Opcode::Err | Opcode::Or => all([&operation.0, &operation.2]),
            _ => false,
        },
        Expr::FunctionCall(call) => NUMBERS.contains(&&**call.ident.inner()),
        Expr::Variable(name) => !others.contains(&**name.inner()),
        _ => false,
    }
}
