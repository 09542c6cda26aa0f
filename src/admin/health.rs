//! `/health` and `/ready`.

use hyper::StatusCode;
use serde_json::json;

use super::Readiness;
use super::http::Routes;
use super::responses::{self, Answer};

pub(super) struct HealthRoutes {
    pub(super) readiness: Readiness,
}

impl Routes for HealthRoutes {
    fn answer(&self, path: &str, _query: &str) -> Option<Answer> {
        match path {
            "/health" => Some(responses::json(StatusCode::OK, &json!({ "status": "ok" }))),
            "/ready" => Some(self.ready()),
            _ => None,
        }
    }
}

impl HealthRoutes {
    fn ready(&self) -> Answer {
        let reasons = self.readiness.reasons();
        if reasons.is_empty() {
            responses::json(StatusCode::OK, &json!({ "ready": true }))
        } else {
            responses::json(StatusCode::SERVICE_UNAVAILABLE, &json!({ "ready": false, "reasons": reasons }))
        }
    }
}
