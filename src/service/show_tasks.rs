//! Tasks for persons as they are read: the list, and one with what to say and what came of it so far.

use serde::Serialize;

use super::{Service, ServiceError};
use crate::domain::actor::Actor;
use crate::domain::id::TaskId;
use crate::domain::page::{Page, PageRequest};
use crate::domain::task::{Task, TaskResult};
use crate::report::{Cast, Language, Matter, Script, script};
use crate::store::tasks::{self, TaskFilter};
use crate::store::{AnyConnection, letters, notices, parties};

/// A task with what to say, what is asked, and what came of it so far.
#[derive(Debug, Clone, Serialize)]
pub struct TaskView {
    #[serde(flatten)]
    task: Task,
    language: &'static str,
    /// Where staff gets the notice to read out, hand over or send.
    report_url: String,
    #[serde(flatten)]
    script: Script,
    results: Vec<TaskResult>,
}

impl Service {
    /// One page of the tasks of the caller's organisation, those that are due first at the top.
    pub async fn list_tasks(
        &self,
        actor: &Actor,
        filter: TaskFilter,
        page: PageRequest,
    ) -> Result<Page<Task>, ServiceError> {
        let tenant = actor.organisation.clone();
        self.store.read(move |connection| Ok(tasks::list(connection, &tenant, &filter, &page)?)).await
    }

    /// One task of the caller's organisation.
    pub async fn show_task(&self, actor: &Actor, id: TaskId) -> Result<TaskView, ServiceError> {
        let (service, tenant) = (self.clone(), actor.organisation.clone());
        let show = move |connection: &mut AnyConnection| {
            let task = tasks::find(connection, &tenant, &id)?.ok_or(ServiceError::NotFound)?;
            service.task_view(connection, task)
        };
        self.store.read(show).await
    }

    /// The task with its script, in the language of the agreement where the script exists in it, otherwise in English.
    pub(super) fn task_view(&self, connection: &mut AnyConnection, task: Task) -> Result<TaskView, ServiceError> {
        let id = task.notice.as_str();
        let notice = notices::facts_unlocked(connection, &[id])?.pop().ok_or(ServiceError::NotFound)?;
        let told = letters::told(connection, &[id])?.remove(id).ok_or(ServiceError::NotFound)?;
        let language = Language::from_tag(&told.terms.language).unwrap_or(Language::English);
        let (processor, controller) = (notice.processor.as_str(), task.controller.as_str());
        let names = parties::names(connection, &[processor.to_owned(), controller.to_owned()])?;
        let name = |id: &str| names.get(id).map_or("", String::as_str);
        let cast = Cast {
            processor: name(processor),
            controller: name(controller),
            contact: task.role.as_deref().zip(task.address.as_deref()),
            matter: Matter::of(&told.kind, told.incident),
            notice: id,
            incident: task.incident.as_str(),
            sequence: notice.sequence,
        };
        let script = script(language, task.means, &cast);
        let report_url = format!(
            "{}/v1/incidents/{}/report?controller={controller}&format=pdf&lang={}",
            self.public_url.as_str().trim_end_matches('/'),
            task.incident,
            language.tag()
        );
        let results = tasks::results(connection, &task.id)?;
        Ok(TaskView { language: language.tag(), report_url, script, results, task })
    }
}
